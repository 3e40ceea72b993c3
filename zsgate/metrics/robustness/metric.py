"""Metrics of robustness: whether perturbed cells still find cells of their type.

>>> from zsgate.metrics.robustness.metric import depth
>>> depth(candidate.copies(dataset, depth)).value  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from zsgate.data.dataset import Dataset
from zsgate.metrics.cache import Part, Scored, cached
from zsgate.metrics.cells import Cells
from zsgate.metrics.metric import Claim
from zsgate.metrics.robustness import perturb
from zsgate.metrics.robustness.perturb import Perturbation
from zsgate.metrics.robustness.recovery import recovery
from zsgate.models.embedding import Embedding
from zsgate.verdict.score import Score

GROUP = "robustness"  # what --metrics and require call all of them


@dataclass(frozen=True, slots=True)
class Copies:
    """Embeddings of the same cells, unperturbed and perturbed.

    Attributes
    ----------
    originals, perturbed
        Draw s of one belongs to draw s of the other.
    dataset
        The unperturbed cells.
    """

    originals: Embedding
    perturbed: Embedding
    dataset: Dataset

    @property
    def shuffled(self) -> Copies:
        """The same with rows dealt to the cells at random, those of a cell staying together."""
        order = np.random.default_rng(int(self.dataset.cells_digest[:16], 16)).permutation(self.dataset.n_cells)
        originals, perturbed = (
            replace(each.rows(order), source=f"shuffled {each.source}") for each in (self.originals, self.perturbed)
        )
        return replace(self, originals=originals, perturbed=perturbed)


@dataclass(frozen=True)
class RobustnessMetric:
    """A metric of perturbed cells, called as ``metric(copies)``.

    Attributes
    ----------
    name
        Short name, also ``__name__``.
    card
        Definition, range, orientation and known failures; the report shows it.
    perturbation
        What is done to the cells.
    """

    name: str
    card: str
    perturbation: Perturbation
    claim: ClassVar[Claim] = "robustness"
    uses_batches: ClassVar[bool] = False
    uses_units: ClassVar[bool] = False
    clusters: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = True
    advisory: ClassVar[bool] = True
    on_request: ClassVar[bool] = True
    package: ClassVar[str] = ""

    @property
    def __name__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<metric {self.name}>"

    def __call__(self, copies: Copies) -> Score:
        """Return the score: the value, exactly without each donor, and with all donors weighing alike.

        Raises
        ------
        ValueError
            If there are too few cells or labels to score.
        """
        cells, recipe = Cells.of(copies.dataset), copies.originals.recipe

        def compute() -> Part:
            draws = zip(copies.originals.draws, copies.perturbed.draws, strict=True)
            return {"recovery": [recovery(*draw, cells) for draw in draws]}

        # the perturbation is in the digest of what was made of it
        originals = {"originals": copies.originals.digest}
        part = cached("recovery", Scored(copies.perturbed, cells, recipe), __name__, compute, originals)
        columns, n_units = np.array(part["recovery"], dtype=float), len(cells.names)
        balanced = columns[:, -1].mean() if n_units else np.nan
        return Score.of_draws(
            self.name,
            columns[:, 0].tolist(),
            list(columns[:, 1 : 1 + n_units]),
            units=cells.names,
            unit=cells.unit,
            cells=cells.digest,
            recipe=str(recipe),
            balanced=float(balanced) if np.isfinite(balanced) else None,
            n_effective=cells.n_effective,
        )


_CARD = (
    "{}: each perturbed cell looks for the nearest unperturbed cell of another donor, and the score is the share whose "
    "nearest is of their own type; mean over cells, of at most 1,500; 0 to 1, higher is better. Noise scores the "
    "frequency of the types. An embedding that ignores the counts loses nothing by poorer ones, so it counts only "
    "with cell-type signal; and one whose cells of different depth lie far apart may yet find its type. Common types "
    "weigh most. Where a dataset has no donors, or speaks for its cells only, any other cell may be the nearest."
)
_WHAT = {
    "depth": ("Half the depth, each molecule kept with probability 1/2", perturb.depth),
    "missing_genes": ("A fifth of the genes without a count, the same in every cell", perturb.missing_genes),
    "panel_genes": (
        "Only the 1,000 genes with most counts, about as many as targeted panels have",
        perturb.panel_genes,
    ),
    "ambient": ("A tenth of each cell's counts drawn from the sum of all cells instead", perturb.ambient),
}
ROBUSTNESS = {name: RobustnessMetric(name, _CARD.format(what), made) for name, (what, made) in _WHAT.items()}
depth, missing_genes, panel_genes, ambient = ROBUSTNESS.values()

"""ReconstructionResult: what one pass of a model over a dataset's genes gives, for metrics, report and store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Self

from zsgate.metrics.reconstruction.figures import Figures
from zsgate.metrics.reconstruction.values import Weight
from zsgate.models.reconstruction import Scale
from zsgate.verdict.recipe import Recipe

CANDIDATE = "candidate"
Way = Literal["default", "paper"]


class Averaging(NamedTuple):
    """How errors are averaged, and whether averages are fitted on the very cells they are scored on."""

    weight: Weight
    in_sample: bool


WAYS: dict[Way, Averaging] = {"default": Averaging("cells", False), "paper": Averaging("pooled", True)}


@dataclass(frozen=True, slots=True)
class ReconstructionResult:
    """What one pass of a model over a dataset gives.

    Attributes
    ----------
    scale
        Scale of the predictions.
    masked
        Share of each cell's genes that were hidden.
    heads
        Heads of the model.
    units
        Names of the units left out: donors, or groups of cells.
    unit
        What a unit is: ``"donor"`` or ``"cells"``.
    n_effective
        Number of equally large units that would know as much; None without units.
    groups
        What averages are fitted without, in words: ``"donor"``, ``"batch"`` or ``"group of cells"``.
    n_cells, n_scored
        Cells of the dataset, and those with at least one entry that is scored.
    cells
        SHA-256 of the cells as far as metrics depend on them.
    columns
        By way of averaging, statistic and side the value over everybody, without each unit, and with all units
        weighing the same. A side is the candidate, an average or the identity copy.
    floor
        The noise floor of the model's tokeniser by way of averaging; NaN where it states none.
    copied
        Error of each head on the genes it was shown, 0 for a copy: over their variance, or the share of tokens missed.
    described
        By statistic the count, mean, standard deviation and quartiles over cells.
    figures
        What the report draws.
    """

    scale: Scale
    masked: float
    heads: tuple[str, ...]
    units: tuple[str, ...]
    unit: str
    n_effective: float | None
    groups: str
    n_cells: int
    n_scored: int
    cells: str
    columns: Mapping[Way, Mapping[str, Mapping[str, list[float]]]]
    floor: Mapping[Way, float]
    copied: Mapping[str, float]
    described: Mapping[str, Mapping[str, float]]
    figures: Figures

    def side(self, name: str, recipe: Recipe) -> Side:
        """Return the result of the candidate, of an average or of the identity copy by a recipe."""
        return Side(self, name, recipe)

    def to_json(self) -> dict[str, Any]:
        """Return builtins only, as the store keeps them."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the result that :meth:`to_json` wrote."""
        tuples = {name: tuple(fields[name]) for name in ("heads", "units")}
        return cls(**{**fields, **tuples})


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of a comparison makes of a dataset's genes; metrics of reconstruction score it.

    Attributes
    ----------
    result
        Result of one pass of the model over the dataset.
    name
        ``"candidate"``, a baseline (``mean``, ``gene_mean``, ``cell_gene_mean``, ``average_rank``) or
        ``"identity_copy"``.
    recipe
        Recipe of the run: by default each cell weighs the same and baselines are fitted out of sample; one with
        ``in_sample`` pools all (cell, gene) pairs and fits on them, as the code of Kedzierska et al. does.
    """

    result: ReconstructionResult
    name: str
    recipe: Recipe

    @property
    def way(self) -> Way:
        """Which of the two ways of averaging and fitting applies."""
        return "paper" if self.recipe.in_sample else "default"

    def columns(self, statistic: str) -> list[float]:
        """Return the value over everybody, without each unit, and with all units weighing the same."""
        return self.result.columns[self.way][statistic][self.name]

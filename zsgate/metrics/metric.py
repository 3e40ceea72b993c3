"""Metric: a named function from an embedding and labels to a Score; and what all metrics have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, overload

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.given import Said, taken
from zsgate.models.embedding import Embedding
from zsgate.system.progress import waiting
from zsgate.verdict.recipe import Recipe
from zsgate.verdict.score import Score

if TYPE_CHECKING:
    from typing import Unpack

    import anndata

# what a metric speaks of: whether cell types lie apart, whether batches mix, how well genes are predicted, whether
# cells that are poorer in counts are recognised
Claim = Literal["cell types", "batches", "genes", "robustness"]
# gives for each draw (rows) the value with everybody, without each unit and, if possible, with all units weighing alike
LeaveOuts = Callable[[Embedding, Cells, Recipe, int], Floats]
Halves = Callable[[Embedding, Cells, Recipe], Floats]
ByType = Callable[[Embedding, Cells, Recipe, int], Floats]
Confusion = Callable[[Embedding, Cells, Recipe, int], tuple[tuple[int, ...], ...]]


class MetricLike(Protocol):
    """What a metric of embeddings and one of reconstructions have in common."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def card(self) -> str:
        """Definition, range, orientation and known failures."""

    @property
    def claim(self) -> Claim:
        """What it speaks of."""

    @property
    def uses_batches(self) -> bool:
        """Whether batches are needed."""

    @property
    def uses_units(self) -> bool:
        """Whether donors, or groups of cells, are needed."""

    @property
    def clusters(self) -> bool:
        """Whether cells are clustered, so that seeds matter."""

    @property
    def higher_is_better(self) -> bool:
        """Orientation."""

    @property
    def advisory(self) -> bool:
        """Whether its verdict does not decide the run, unless the user requires it."""

    @property
    def on_request(self) -> bool:
        """Whether a run computes it only if asked to."""

    @property
    def package(self) -> str:
        """The optional package that computes it, if any."""


@dataclass(frozen=True)
class Metric:
    """A metric of an embedding, called as ``metric(embedding, labels)``.

    Attributes
    ----------
    name
        Short name, also ``__name__``.
    card
        Definition, range, orientation and known failures; the report shows it.
    columns
        Gives the value of each draw (rows) with everybody and without each unit (columns).
    claim
        ``"cell types"`` or ``"batches"``: which suite asks for it, and what the controls must do on it.
    uses_batches
        Whether batches are needed.
    uses_units
        Whether donors, or groups of cells, are needed.
    halves
        Gives the value in either half of each split of the units, shape (n_splits, 2). Without them the jackknife
        alone makes the interval.
    by_type
        Gives what it says of each cell type alone, shape (n_labels,), from what was computed for its value.
    confusion
        Gives the number of cells of each label in each cluster, likewise.
    clusters
        Whether cells are clustered, so that seeds matter and leave-outs keep a partition.
    higher_is_better
        Orientation.
    noise_loses
        Whether noise and shuffled rows must be shown to lose by it; of any other metric they must only not pass.
    advisory
        Whether its verdict is shown and does not decide the run, unless the user requires it.
    on_request
        Whether a run computes it only if asked to, for it is slow or needs a package.
    package
        The optional package that computes it, if any.
    """

    name: str
    card: str
    columns: LeaveOuts
    claim: Literal["cell types", "batches"]
    uses_batches: bool = False
    uses_units: bool = False
    halves: Halves | None = None
    by_type: ByType | None = None
    confusion: Confusion | None = None
    clusters: bool = False
    higher_is_better: bool = True
    noise_loses: bool = False
    advisory: bool = False
    on_request: bool = False
    package: str = ""

    @property
    def __name__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<metric {self.name}>"

    @overload
    def __call__(
        self,
        embedding: Embedding | npt.ArrayLike,
        labels: Dataset | npt.ArrayLike,
        *,
        batches: npt.ArrayLike | None = None,
        donors: npt.ArrayLike | None = None,
        seeds: int | None = None,
        recipe: Recipe | None = None,
    ) -> Score: ...

    @overload
    def __call__(
        self,
        embedding: anndata.AnnData,
        labels: str,
        *,
        label_key: str,
        batch_key: str | None = None,
        donor_key: str | None = None,
        layer: str | None = None,
        seeds: int | None = None,
        recipe: Recipe | None = None,
    ) -> Score: ...

    def __call__(
        self,
        embedding: object,
        labels: object = None,
        *,
        seeds: int | None = None,
        recipe: Recipe | None = None,
        **said: Unpack[Said],
    ) -> Score:
        """Return the score of an embedding.

        Parameters
        ----------
        embedding
            An Embedding, or an array of shape (n_cells, n_dimensions); or an AnnData.
        labels
            A Dataset, which brings its batches and units along, or the label of each cell; of an AnnData the key of
            ``obsm`` that holds the embedding, or ``"X"`` where that is dense and holds no counts. Its cells are those
            that a run would judge on if it took all: with a label, a batch and a donor, and ten detected genes.
        seeds
            Clusterings of an embedding of one draw; None takes the embedding's own number. Several draws are
            clustered once each.
        recipe
            Choices that shape the value; None takes the embedding's own.
        **said
            ``batches`` and ``donors`` of each cell, with an array of labels; without donors there are no leave-outs.
            ``label_key``, ``batch_key`` and ``donor_key``, the columns of an AnnData, and ``layer``, its counts.

        Raises
        ------
        TypeError
            If what is given is none of these, or does not go together.
        ValueError
            If labels, batches or donors have missing values or another length than the embedding, if there are too few
            cells or labels to score, or if what is needed is unknown; a UsageProblem if an AnnData cannot be read.
        """
        with taken(self.name, embedding, labels, said) as (given, cells):
            return self._score(given, cells, given.clusterings if seeds is None else seeds, recipe or given.recipe)

    def _score(self, given: Embedding, cells: Cells, seeds: int, recipe: Recipe) -> Score:
        self._refuse(given, cells, seeds)
        with waiting(f"{given.source}: {self.name}", background=True):
            columns = self.columns(given, cells, recipe, seeds)
        n_units = len(cells.names)
        balanced = columns[:, 1 + n_units :].mean() if n_units and columns.shape[1] > 1 + n_units else np.nan
        return Score.of_draws(
            self.name,
            columns[:, 0].tolist(),
            list(columns[:, 1 : 1 + n_units]),
            units=cells.names,
            unit=cells.unit,
            cells=cells.digest,
            recipe=str(recipe),
            higher_is_better=self.higher_is_better,
            unit_halves=self._halves(given, cells, recipe),
            balanced=float(balanced) if np.isfinite(balanced) else None,
            n_effective=cells.n_effective,
            by_type=() if self.by_type is None else _known(self.by_type(given, cells, recipe, seeds)),
            confusion=() if self.confusion is None else self.confusion(given, cells, recipe, seeds),
        )

    def _refuse(self, embedding: Embedding, cells: Cells, seeds: int) -> None:
        """Raise ValueError if the embedding is of other cells, something needed is unknown, or nothing is clustered."""
        for draw in embedding.draws:
            if len(draw) != cells.n_cells:
                msg = f"the embedding has {len(draw)} rows for {cells.n_cells} labels"
                raise ValueError(msg)
        unknown = {"batch": self.uses_batches and not cells.has_batches, "donor": self.uses_units and not cells.names}
        for what in (what for what, lacks in unknown.items() if lacks):
            msg = f"{self.name} needs the {what} of each cell and none is known"
            raise ValueError(msg)
        if seeds < 1:
            msg = f"seeds must be at least 1, not {seeds}"
            raise ValueError(msg)

    def _halves(self, embedding: Embedding, cells: Cells, recipe: Recipe) -> tuple[tuple[float, float], ...]:
        if self.halves is None or len(cells.names) < 2:  # nothing is said without units
            return ()
        return tuple((float(a), float(b)) for a, b in self.halves(embedding, cells, recipe))


def _known(values: Floats) -> tuple[float | None, ...]:
    """Return values as builtins, None where one is not defined, so that equal scores are equal."""
    return tuple(None if np.isnan(value) else value for value in values.tolist())

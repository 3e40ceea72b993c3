"""Unit: one piece of work, told by names alone; what it needs and what it gives lie in the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from zsgate.data.dataset import Dataset
from zsgate.metrics import METRICS
from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.distance_pass import STEP, pass_of_draw
from zsgate.metrics.embedding.shared import agreements, halves
from zsgate.metrics.mixing import mixing
from zsgate.models.embedding import SHARD, Embedding
from zsgate.run.before.units.named import embedding_of, method_of
from zsgate.run.checks.stability import draws_of
from zsgate.run.run import Run

EMBEDDING, PASS, AGREEMENTS, HALVES, AROUND, SCORE = "embedding", STEP, "agreements", "halves", mixing.STEP, "score"
CLUSTERED = ("nmi", "ari", "avg_bio")
# what of a score is done in parts, each after those before it, and which metrics need it
IN_PARTS = {
    PASS: ("asw", "batch_score", *CLUSTERED),
    AGREEMENTS: CLUSTERED,
    HALVES: CLUSTERED,
    AROUND: ("knn_mixing", "knn_purity"),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work.

    Attributes
    ----------
    step
        ``"embedding"``, a key of :data:`IN_PARTS`, or ``"score"``; its parts are of that kind.
    dataset
        Its name.
    who
        Whose embedding, as a plan has it: a method's, a control's, or the shuffled rows of either.
    part
        The part that is to be done; empty for the whole.
    draw
        Of a pass.
    metrics
        Of a score, their names.
    """

    step: str
    dataset: str
    who: str
    part: str = ""
    draw: int = 0
    metrics: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.step} of {self.who} on {self.dataset}" + (f" ({self.part})" if self.part else "")

    def has_parts(self, run: Run) -> bool:
        """Return whether the whole may be done in several parts; if not, its parts are not to be asked for."""
        if self.step != EMBEDDING:
            return self.step in IN_PARTS
        model = getattr(method_of(run, self.who), "model", None)
        if model is None:
            return run.maker(self.who).has_parts
        return len(draws_of(model)) > 1 or (model.info.independent_cells and run.embedded(self.dataset).n_cells > SHARD)

    def work(self, run: Run) -> Callable[[], object]:
        """Return what does the whole of which this is a part, in a run that has what it needs."""
        dataset = run.dataset(self.dataset)
        if self.step == EMBEDDING:
            return partial(run.embed, method_of(run, self.who), run.embedded(self.dataset))
        found, cells = embedding_of(run, self.who, dataset), Cells.of(dataset)
        if self.step == PASS:
            return partial(pass_of_draw, found, cells, found.recipe, self.draw)
        if self.step == AGREEMENTS:
            return partial(agreements, found, cells, found.recipe, found.clusterings)
        if self.step == HALVES:
            return partial(halves, found, cells, found.recipe)
        if self.step == AROUND:
            return partial(mixing.neighbourhoods, found, cells, found.recipe)
        return partial(_score, found, dataset, self.metrics)


def _score(found: Embedding, dataset: Dataset, metrics: tuple[str, ...]) -> None:
    for name in metrics:
        METRICS[name](found, dataset)

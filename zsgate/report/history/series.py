"""Series: what became of each test over the runs of one model, and where runs cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from zsgate.report.history.change import cells_of
from zsgate.report.record import Record, VerdictRecord
from zsgate.report.words import distinct


@dataclass(frozen=True, slots=True)
class Point:
    """A test in one run.

    Attributes
    ----------
    run
        Position of the run among those of the model.
    verdict
        What it decided.
    claimed
        Whether the run claims anything: the gate neither broke nor was interrupted.
    """

    run: int
    verdict: VerdictRecord
    claimed: bool

    @property
    def state(self) -> str:
        """The outcome, or error where the run claims nothing."""
        return self.verdict.outcome.value if self.claimed else "error"


@dataclass(frozen=True, slots=True)
class Break:
    """Where the lines of a dataset break: before run ``run``, whose numbers cannot be compared with earlier ones."""

    run: int
    why: str


@dataclass(frozen=True, slots=True)
class Block:
    """The tests of one claim on one dataset: ``lines`` by (baseline, metric)."""

    claim: str
    baselines: list[str]
    metrics: list[str]
    lines: dict[tuple[str, str], list[Point]]


@dataclass(frozen=True, slots=True)
class DatasetHistory:
    """What became of one dataset's tests."""

    name: str
    breaks: list[Break]
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class ModelHistory:
    """The runs of one model, in the order in which they were started."""

    model: str
    runs: list[Record]
    datasets: list[DatasetHistory]


def histories(records: Sequence[Record]) -> list[ModelHistory]:
    """Return the records by model, each model with its runs and what became of its tests."""
    found = []
    for model in dict.fromkeys(record.model for record in records):
        runs = [record for record in records if record.model == model]
        names = distinct(verdict.dataset for run in runs for verdict in run.verdicts)
        found.append(ModelHistory(model, runs, [_dataset(name, runs) for name in names]))
    return found


def _dataset(name: str, runs: list[Record]) -> DatasetHistory:
    points = [
        Point(position, verdict, run.gate.is_judged)
        for position, run in enumerate(runs)
        for verdict in run.verdicts
        if verdict.dataset == name
    ]
    claims = dict.fromkeys(point.verdict.claim or point.verdict.suite for point in points)
    blocks = [_block(claim, [p for p in points if (p.verdict.claim or p.verdict.suite) == claim]) for claim in claims]
    return DatasetHistory(name, list(_breaks(name, runs)), blocks)


def _block(claim: str, points: list[Point]) -> Block:
    lines: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        lines.setdefault((point.verdict.baseline, point.verdict.metric), []).append(point)
    baselines = distinct(point.verdict.baseline for point in points)
    return Block(claim, baselines, distinct(point.verdict.metric for point in points), lines)


def _breaks(name: str, runs: list[Record]) -> Iterator[Break]:
    """Yield where the recipe or the cells changed between two runs that judged on a dataset."""
    judged = [position for position, run in enumerate(runs) if any(v.dataset == name for v in run.verdicts)]
    for before, now in pairwise(judged):
        was, is_now = runs[before], runs[now]
        cells = cells_of(was, name), cells_of(is_now, name)
        if was.recipe.hash != is_now.recipe.hash:
            recipe = is_now.recipe
            yield Break(now, f"another recipe, {recipe.id}:{recipe.hash}")
        elif cells[0] != cells[1]:
            yield Break(now, "other cells, labels, batches or donors")
        elif not cells[0]:
            yield Break(now, "it is not known whether the cells are the same")

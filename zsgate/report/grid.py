"""Grid: what became of every (dataset, baseline, metric), judged or not; one for each claim on each dataset."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import msgspec

from zsgate.report.record.evidence import FailureRecord, NotTestedRecord
from zsgate.report.record.run import Record
from zsgate.report.record.verdict import VerdictRecord
from zsgate.report.words import distinct

Key = tuple[str | None, str | None, str | None]
Test = VerdictRecord | FailureRecord | NotTestedRecord
_CLAIMS = ("cell types", "batches", "robustness", "hidden genes", "genes", "")  # as a reader wants them
_OF_GENES = ("genes", "hidden genes")  # whose baselines are averages, which always are to be had


@dataclass(frozen=True, slots=True)
class ShownVerdict:
    """A verdict, and the id of the row of the page that shows it."""

    verdict: VerdictRecord
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class GridCell:
    """One cell of a grid.

    Attributes
    ----------
    metric
        Its column.
    state
        One of :data:`zsgate.report.words.STATES`.
    anchor
        Id of what the page says about it; empty when it says nothing.
    verdict
        The verdict, where there is one.
    why
        What went wrong or why it was not tested.
    """

    metric: str
    state: str
    anchor: str = ""
    verdict: VerdictRecord | None = None
    why: str = ""

    @property
    def these_donors_only(self) -> bool:
        """Whether the verdict speaks for these donors only."""
        return self.verdict is not None and self.verdict.these_donors_only

    @property
    def passed(self) -> bool:
        """Whether there is a verdict, and it passed."""
        return self.verdict is not None and self.verdict.passed

    @property
    def qualifier(self) -> str:
        """A word where the state alone would mislead: advisory, waived, passed, not passed; else empty."""
        return "" if self.verdict is None else self.verdict.qualifier


@dataclass(frozen=True, slots=True)
class VerdictGrid:
    """Baselines by metrics of one claim on one dataset: ``rows`` holds (baseline, cells in the order of ``metrics``).

    ``claim`` is what the metrics are about, such as cell types; empty where nobody says.
    """

    dataset: str
    claim: str
    metrics: list[str]
    rows: list[tuple[str, list[GridCell]]]

    @property
    def deciding(self) -> tuple[int, int]:
        """How many cells that decide passed, and how many there are; a test without a verdict is one of them."""
        return sum(cell.passed for cell in self._deciding), len(self._deciding)

    @property
    def waived(self) -> int:
        """How many cells did not pass and are waived: they lost, and the run may pass all the same."""
        return sum(not cell.passed and cell.qualifier == "waived" for cell in self._deciding)

    @property
    def standing(self) -> str:
        """The worst state of what decides: beats only where every test passed and none is missing."""
        missed = {cell.state for cell in self._deciding if not cell.passed}
        if missed:
            return "error" if "error" in missed else "inconclusive" if missed == {"inconclusive"} else "loses"
        return "not tested" if "not tested" in self.states else "beats"

    @property
    def _deciding(self) -> list[GridCell]:
        cells = [cell for _, cells in self.rows for cell in cells]
        return [cell for cell in cells if cell.state == "error" or (cell.verdict and not cell.verdict.advisory)]

    @property
    def states(self) -> list[str]:
        """State of each cell."""
        return [cell.state for _, cells in self.rows for cell in cells]


def shown(record: Record) -> list[ShownVerdict]:
    """Return each verdict with an id of its own, ``verdict-<dataset>-<baseline>-<metric>``."""
    taken: set[str] = set()
    found = []
    for verdict in record.verdicts:
        parts = (verdict.dataset, verdict.baseline, verdict.metric)
        stem = "verdict-" + "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part) for part in parts)
        name, copy = stem, 1
        while name in taken:
            copy += 1
            name = f"{stem}-{copy}"
        taken.add(name)
        found.append(ShownVerdict(verdict, name))
    return found


def grids(record: Record) -> list[VerdictGrid]:
    """Return one grid for each claim on each dataset that anything was to be tested on."""
    known = _judged(record) | _failed(record)
    failures = [failure for failure in record.failures if _has_no_verdict(failure)]
    measured = {verdict.metric for verdict in record.verdicts} | {failure.metric for failure in failures}
    skipped = [_named(entry, measured) for entry in record.not_tested if not entry.suite]
    planned: list[Test] = [*record.verdicts, *failures, *skipped]
    claims = {metric.name: metric.claim for metric in record.metrics}
    metrics = distinct(test.metric for test in planned)
    found = []
    for dataset in distinct(test.dataset for test in planned):
        here = [test for test in planned if _is_on(test, dataset)]
        for claim in sorted({claims.get(name, "") for name in metrics}, key=_place):
            columns = [name for name in metrics if claims.get(name, "") == claim and name in {t.metric for t in here}]
            asked = [test for test in here if test.metric in columns or (not test.metric and claim not in _OF_GENES)]
            missing = [entry for entry in asked if isinstance(entry, NotTestedRecord)]
            untested = partial(_untested, missing=missing, whole=_is_whole(record))
            rows = [
                (name, [known.get((dataset, name, metric)) or untested(metric, name) for metric in columns])
                for name in distinct(test.baseline for test in asked)
            ]
            if columns:
                found.append(VerdictGrid(dataset, claim, columns, rows))
    return found


def _place(claim: str) -> int:
    return _CLAIMS.index(claim) if claim in _CLAIMS else len(_CLAIMS)


def _is_on(test: Test, dataset: str) -> bool:
    """Return whether a test is, or would have been, on a dataset; what was skipped may name none and mean all."""
    return test.dataset == dataset or (isinstance(test, NotTestedRecord) and not test.dataset)


def _judged(record: Record) -> dict[Key, GridCell]:
    """Return the cells with a verdict; of two verdicts on the same, the first."""
    return {
        _key(each.verdict): GridCell(
            each.verdict.metric, each.verdict.outcome, each.anchor, each.verdict, each.verdict.reason
        )
        for each in reversed(shown(record))
    }


def _failed(record: Record) -> dict[Key, GridCell]:
    """Return the cells whose test ended without a verdict."""
    return {
        _key(failure): GridCell(failure.metric or "", "error", f"failure-{position}", why=failure.message)
        for position, failure in enumerate(record.failures, start=1)
        if _has_no_verdict(failure)
    }


def _has_no_verdict(failure: FailureRecord) -> bool:
    """Return whether a failure leaves a cell without a verdict: a control that failed says nothing of its pair."""
    return failure.what != "control" and all(_key(failure))


def _key(test: VerdictRecord | FailureRecord) -> Key:
    return (test.dataset, test.baseline, test.metric)


def _named(entry: NotTestedRecord, metrics: Collection[str | None]) -> NotTestedRecord:
    """Return what was not tested as a baseline or a metric; ``what`` names one of the two."""
    if entry.baseline or entry.metric:
        return entry
    if entry.what in metrics:
        return msgspec.structs.replace(entry, metric=entry.what)
    return msgspec.structs.replace(entry, baseline=entry.what)


def _is_whole(record: Record) -> bool:
    """Return whether every test that makes sense has a verdict or a failure, so that a gap is no test."""
    return record.gate.is_judged and not record.selection.n_left_out


def _untested(metric: str, baseline: str, *, missing: list[NotTestedRecord], whole: bool) -> GridCell:
    reasons = (
        entry.reason
        for entry in missing
        if (not entry.baseline or entry.baseline == baseline) and (not entry.metric or entry.metric == metric)
    )
    if why := next(reasons, ""):
        return GridCell(metric, "not tested", why=why)
    if whole:
        return GridCell(metric, "not applicable", why="no test compares the two by this metric")
    return GridCell(metric, "not tested", why="not run")

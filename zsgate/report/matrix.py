"""Matrix: what became of every (dataset, baseline, metric), judged or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from zsgate.report.record import Record, distinct


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a matrix.

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
    verdict: Record | None = None
    why: str = ""

    @property
    def hollow(self) -> bool:
        """Whether the verdict speaks for these donors only."""
        return self.verdict is not None and self.verdict["unit"] == "cells"

    @property
    def aside(self) -> str:
        """``passed`` or ``not passed`` where the outcome alone would suggest the other; ``advisory``, ``waived``."""
        if self.verdict is None:
            return ""
        if self.verdict["advisory"]:
            return "advisory"
        if self.verdict["waiver"]:
            return "waived"
        if self.verdict["passed"] == (self.state == "beats"):
            return ""
        return "passed" if self.verdict["passed"] else "not passed"


@dataclass(frozen=True, slots=True)
class Matrix:
    """Baselines by metrics on one dataset: ``rows`` holds (baseline, cells in the order of ``metrics``)."""

    dataset: str
    metrics: list[str]
    rows: list[tuple[str, list[Cell]]]


def anchors(record: Record) -> dict[int, str]:
    """Return a unique id for each verdict by position: ``verdict-<dataset>-<baseline>-<metric>``."""
    taken: set[str] = set()
    names: dict[int, str] = {}
    for position, verdict in enumerate(record["verdicts"]):
        parts = (verdict["dataset"], verdict["baseline"], verdict["metric"])
        stem = "verdict-" + "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part) for part in parts)
        name, copy = stem, 1
        while name in taken:
            copy += 1
            name = f"{stem}-{copy}"
        taken.add(name)
        names[position] = name
    return names


def matrices(record: Record) -> list[Matrix]:
    """Return one matrix for each dataset of ``record`` (from :func:`zsgate.report.record.complete`)."""
    named = anchors(record)
    judged = {
        _key(verdict): Cell(verdict["metric"], verdict["outcome"], named[position], verdict, verdict["reason"])
        for position, verdict in reversed(list(enumerate(record["verdicts"])))
    }
    # a control that failed says nothing of the pair it was judged on
    failed = {
        _key(failure): Cell(failure["metric"], "error", f"failure-{position}", None, failure["message"])
        for position, failure in enumerate(record["failures"], start=1)
        if failure["what"] != "control" and all(_key(failure))
    }
    tests = [*record["verdicts"], *(f for f in record["failures"] if _key(f) in failed)]
    skipped = [_pair(entry, distinct(tests, "metric")) for entry in record["not_tested"] if not entry["suite"]]
    metrics = distinct([*tests, *skipped], "metric")
    found = []
    for dataset in distinct([*tests, *skipped], "dataset"):
        here = [test for test in tests if test["dataset"] == dataset]
        missing = [entry for entry in skipped if entry["dataset"] in (dataset, None, "")]
        columns = [name for name in metrics if name in distinct([*here, *missing], "metric")]
        if not columns:
            continue
        rows = []
        for baseline in distinct([*here, *missing], "baseline"):
            cells = []
            for metric in columns:
                key = (dataset, baseline, metric)
                cells.append(failed.get(key) or judged.get(key) or _untested(metric, baseline, missing))
            rows.append((baseline, cells))
        found.append(Matrix(dataset, columns, rows))
    return found


def _key(test: Record) -> tuple[Any, Any, Any]:
    return (test["dataset"], test["baseline"], test["metric"])


def _pair(entry: Record, metrics: list[str]) -> Record:
    """Return what was not tested as a baseline or a metric; ``what`` names one of the two."""
    if entry["baseline"] or entry["metric"]:
        return entry
    return {**entry, "metric" if entry["what"] in metrics else "baseline": entry["what"]}


def _untested(metric: str, baseline: str, missing: list[Record]) -> Cell:
    reasons = (
        entry["reason"]
        for entry in missing
        if entry["baseline"] in (baseline, None, "") and entry["metric"] in (metric, None, "")
    )
    return Cell(metric, "not tested", why=next(reasons, "not selected in this run"))

"""So far: the page of a run that is still going on, should it be all that is left of it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from zsgate.plugin.collection import is_of_gate
from zsgate.plugin.results import Results
from zsgate.plugin.workers.completeness import Completeness
from zsgate.report import write
from zsgate.report.record import GateState
from zsgate.run.findings.outcome import ExitCode, Outcome
from zsgate.run.findings.provenance import Start

EVERY = 60.0  # seconds from one page to the next


class SoFar:
    """The hook of the controller that writes down what is known so far, and that nothing is claimed.

    Parameters
    ----------
    results
        Holds what was found.
    completeness
        Knows what was planned.
    start
        When and how the run was started.
    folder
        Where the page goes.
    """

    def __init__(self, results: Results, completeness: Completeness, start: Start, folder: Path) -> None:
        self.results = results
        self.completeness = completeness
        self.start = start
        self.folder = folder
        self._written = time.monotonic()
        self._ended: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that has had its turn; write the page where the last one is a minute old."""
        if self.results.settled or report.when != "teardown" or not is_of_gate(report.nodeid):
            return
        self._ended.add(report.nodeid)
        if time.monotonic() - self._written >= EVERY:
            with suppress(Exception):  # the page before it stays; the one at the end says what is wrong
                self._write()
            self._written = time.monotonic()

    def _write(self) -> None:
        turns = f"{len(self._ended)} of {len(self.completeness.planned)} planned tests have had their turn"
        outcome = Outcome(GateState.RUNNING, ExitCode.INTERRUPTED, f"started, not finished: {turns}")
        found = self.results
        record = replace(
            self.start.bare(outcome),
            verdicts=tuple(found.verdicts.values()),
            controls=tuple(found.controls.values()),
            failures=tuple(found.failures.values()),
            scores=tuple(found.scores.values()),
            timings=tuple(found.timings),
        )
        write(record, self.folder)

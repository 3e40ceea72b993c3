"""Results: what the reports of tests carry, and what only all of them together can tell."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date

import pytest
from msgspec.structs import replace

from zsgate.config.config import Config
from zsgate.plugin.agreement import FOREIGN, agree
from zsgate.plugin.collection import is_of_gate
from zsgate.report.record import (
    CheckRecord,
    ControlRecord,
    FailureRecord,
    ScoreRecord,
    TimingRecord,
    TwinsRecord,
    VerdictRecord,
    WaiverRecord,
)
from zsgate.verdict import holm, uninformative
from zsgate.verdict.gate.outcome import needless_waiver
from zsgate.verdict.waiver import NEEDLESS, review


class Results:
    """The hooks of the controller that gather results.

    Parameters
    ----------
    config
        What the user asked for.
    repeat
        The command that runs the gate as this run does, to which a node id is added.

    Attributes
    ----------
    verdicts, controls, failures, scores, checks
        What tests found; by node id, scores by dataset and metric.
    timings
        What took time, in the order of completion.
    twins
        What untrained twins are worth, by dataset.
    waivers
        Those of pyproject.toml with what became of them.
    others_failed
        Number of failed tests that are not the gate's.
    marks
        Marks that others put on the gate's tests, none of which counts.
    settled
        Whether all tests had their turn, and what takes all results is decided.
    """

    def __init__(self, config: Config, repeat: str) -> None:
        self.config = config
        self.repeat = repeat
        self.verdicts: dict[str, VerdictRecord] = {}
        self.controls: dict[str, ControlRecord] = {}
        self.failures: dict[str, FailureRecord] = {}
        self.scores: dict[tuple[str, str], ScoreRecord] = {}
        self.checks: dict[str, tuple[CheckRecord, ...]] = {}
        self.timings: list[TimingRecord] = []
        self.twins: dict[str, TwinsRecord] = {}
        self.waivers: tuple[WaiverRecord, ...] = ()
        self.others_failed = 0
        self.marks: dict[str, None] = {}
        self.settled = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a test's report carries, and let everybody after us see a report that says the same."""
        if self.settled:  # what is told in the end is known here
            return
        if not is_of_gate(report.nodeid):
            self.others_failed += report.failed
            return
        found = agree(report, f"{self.repeat} {report.nodeid!r}")
        self.marks.update({text: None for title, text in report.sections if title == FOREIGN})
        self.timings += found.timings
        self.failures.update({each.nodeid: each for each in found.failures})
        if report.when == "call":
            self.verdicts.update({each.nodeid: each for each in found.verdicts})
            self.controls.update({each.nodeid: each for each in found.controls})
            self.checks.update({report.nodeid: found.checks} if found.checks else {})
            self.scores.update({(each.dataset, each.metric): each for each in found.scores})
            self.twins.update({each.dataset: each for each in found.twins})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count files of others that cannot be collected."""
        self.others_failed += report.failed

    def settle(self, planned: Sequence[str], due: Set[str]) -> list[tuple[str, str]]:
        """Decide what takes all results, put them in the order of the plan, and return what fails by it.

        Parameters
        ----------
        planned
            Node ids in the order in which they were to run.
        due
            Node ids of all tests that decide the run, selected or not.

        Returns
        -------
        (node id, sentence) of what no test itself could know to have failed.
        """
        self.settled = True
        self._sort(planned)
        fails = self._withdraw()
        self._adjust()
        verdicts = list(self.verdicts.values())
        whole, datasets = due <= self.verdicts.keys() | self.failures.keys() | self.checks.keys(), self.config.usual
        self.waivers = review(self.config.waiver, verdicts, date.today(), whole=whole, datasets=datasets)
        for waiver in self.waivers:
            if waiver.state == NEEDLESS:
                fails.append((f"pyproject.toml::waiver[{waiver.match}]", needless_waiver(waiver)))
        return fails

    def _withdraw(self) -> list[tuple[str, str]]:
        """Withdraw verdicts where noise cannot be told from the baseline; return what fails by that."""
        known = uninformative.find(self.controls.values())
        fails = []
        for nodeid, control in self.controls.items():
            self.controls[nodeid] = uninformative.annotate(control, known)
            if uninformative.is_unsure(control) and not (self.controls[nodeid].passed or control.advisory):
                fails.append((nodeid, control.sentence))
        for nodeid, verdict in self.verdicts.items():
            self.verdicts[nodeid] = changed = uninformative.withdraw(verdict, known)
            if changed.withdrawn and changed.is_missed:
                fails.append((nodeid, changed.sentence))
        return fails

    def _adjust(self) -> None:
        """Add p-values that are adjusted over the tests against each baseline."""
        verdicts = list(self.verdicts.values())
        adjusted = holm.adjusted([verdict.p for verdict in verdicts], [verdict.baseline for verdict in verdicts])
        for nodeid, verdict, p in zip(list(self.verdicts), verdicts, adjusted, strict=True):
            self.verdicts[nodeid] = replace(verdict, p_holm=p)

    def _sort(self, planned: Sequence[str]) -> None:
        """Put everything in the order of the plan, whichever worker was faster."""
        place = {nodeid: position for position, nodeid in enumerate(planned)}
        for found in (self.verdicts, self.controls, self.failures):
            ordered = sorted(found.items(), key=lambda item: place.get(item[0], len(place)))
            found.clear()
            found.update(ordered)  # type: ignore[arg-type]
        judged = dict.fromkeys((each.dataset, each.metric) for each in self.verdicts.values())
        first = {key: self.scores[key] for key in judged if key in self.scores}
        self.scores = first | {key: self.scores[key] for key in sorted(self.scores) if key not in first}  # floors


def told(session: pytest.Session, nodeid: str, words: str) -> None:
    """Let everybody who listens know of a failure, as if a test had failed."""
    location = (nodeid.partition("::")[0], None, nodeid.rpartition("::")[2])
    failed = pytest.TestReport(nodeid, location, {}, "failed", words, "call")
    ended = pytest.TestReport(nodeid, location, {}, "passed", None, "teardown")
    for report in (failed, ended):
        session.config.hook.pytest_runtest_logreport(report=report)

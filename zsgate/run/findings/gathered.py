"""Gathered: what the tests of a run found, and what only all of them together can tell."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date

from zsgate.config.config import Config
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
from zsgate.report.wire import Found
from zsgate.run.findings.outcome import needless_waiver
from zsgate.run.findings.settled import adjusted, in_order
from zsgate.verdict import uninformative
from zsgate.verdict.waiver import NEEDLESS, review


class Gathered:
    """What the tests of a run found.

    Parameters
    ----------
    config
        What the user asked for.

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
    marks
        Marks that others put on the gate's tests, none of which counts.
    settled
        Whether all tests had their turn, and what takes all results is decided.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.verdicts: dict[str, VerdictRecord] = {}
        self.controls: dict[str, ControlRecord] = {}
        self.failures: dict[str, FailureRecord] = {}
        self.scores: dict[tuple[str, str], ScoreRecord] = {}
        self.checks: dict[str, tuple[CheckRecord, ...]] = {}
        self.timings: list[TimingRecord] = []
        self.twins: dict[str, TwinsRecord] = {}
        self.waivers: tuple[WaiverRecord, ...] = ()
        self.marks: dict[str, None] = {}
        self.settled = False

    def add(self, nodeid: str, found: Found) -> None:
        """Take what a test found while it judged."""
        self.verdicts.update({each.nodeid: each for each in found.verdicts})
        self.controls.update({each.nodeid: each for each in found.controls})
        self.checks.update({nodeid: found.checks} if found.checks else {})
        self.scores.update({(each.dataset, each.metric): each for each in found.scores})
        self.twins.update({each.dataset: each for each in found.twins})

    def add_beside(self, found: Found) -> None:
        """Take what any phase of a test may leave: what took time, and how it failed."""
        self.timings += found.timings
        self.failures.update({each.nodeid: each for each in found.failures})

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
        self.verdicts = dict(zip(self.verdicts, adjusted(list(self.verdicts.values())), strict=True))

    def _sort(self, planned: Sequence[str]) -> None:
        """Put everything in the order of the plan, whichever worker was faster."""
        place = {nodeid: position for position, nodeid in enumerate(planned)}
        for found in (self.verdicts, self.controls, self.failures):
            ordered = sorted(found.items(), key=lambda item: place.get(item[0], len(place)))
            found.clear()
            found.update(ordered)  # type: ignore[arg-type]
        self.scores = in_order(self.scores, self.verdicts.values())

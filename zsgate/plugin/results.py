"""Results: what the reports of tests carry, gathered on the controller."""

from __future__ import annotations

import pytest

from zsgate.config.config import Config
from zsgate.plugin.agreement import FOREIGN, agree
from zsgate.plugin.collection import is_of_gate
from zsgate.run.findings.gathered import Gathered


class Results(Gathered):
    """The hooks of the controller that gather results.

    Parameters
    ----------
    config
        What the user asked for.
    repeat
        The command that runs the gate as this run does, to which a node id is added.

    Attributes
    ----------
    others_failed
        Number of failed tests that are not the gate's.
    """

    def __init__(self, config: Config, repeat: str) -> None:
        super().__init__(config)
        self.repeat = repeat
        self.others_failed = 0

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
        self.add_beside(found)
        if report.when == "call":
            self.add(report.nodeid, found)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count files of others that cannot be collected."""
        self.others_failed += report.failed


def told(session: pytest.Session, nodeid: str, words: str) -> None:
    """Let everybody who listens know of a failure, as if a test had failed."""
    location = (nodeid.partition("::")[0], None, nodeid.rpartition("::")[2])
    failed = pytest.TestReport(nodeid, location, {}, "failed", words, "call")
    ended = pytest.TestReport(nodeid, location, {}, "passed", None, "teardown")
    for report in (failed, ended):
        session.config.hook.pytest_runtest_logreport(report=report)

"""Docket: what the reports of tests carry, and what only all of them together can tell."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from zsgate.fixtures import judging as cast
from zsgate.plugin.completeness import Guard
from zsgate.plugin.selection import is_selection
from zsgate.report.record import missed
from zsgate.report.words import counted
from zsgate.run.run import Trial
from zsgate.verdict.uninformative import annotate, find, names_of, withdraw
from zsgate.verdict.waiver import NEEDLESS, reviewed


class Docket:
    """The hooks of the controller that gather results.

    Parameters
    ----------
    trial
        What is on trial.
    guard
        Knows what was planned.

    Attributes
    ----------
    verdicts, controls, failures
        What tests found, in the order of the plan when the run is over.
    scores
        The candidate's scores, by dataset and metric.
    timings
        What took time, in the order of completion.
    waivers
        Those of pyproject.toml with what became of them.
    blind
        Why verdicts that passed do not count, one for each.
    """

    def __init__(self, trial: Trial, guard: Guard) -> None:
        self.trial = trial
        self.guard = guard
        self.verdicts: dict[str, dict[str, Any]] = {}
        self.scores: dict[tuple[str, str], dict[str, Any]] = {}
        self.controls: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []
        self.timings: list[dict[str, Any]] = []
        self.waivers: list[dict[str, Any]] = []
        self.blind: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a test's report carries."""
        for name, value in report.user_properties:
            if name == cast.VERDICT and report.when == "call":
                verdict = json.loads(str(value))
                score = {"dataset": verdict["dataset"], **verdict.pop("score")}
                self.scores[score["dataset"], score["metric"]] = score
                self.verdicts[report.nodeid] = {"nodeid": report.nodeid, **verdict}
            elif name == cast.CONTROL and report.when == "call":
                self.controls.append({"nodeid": report.nodeid, **json.loads(str(value))})
            elif name == cast.FAILURE:
                self.failures.append({"nodeid": report.nodeid, **json.loads(str(value))})
            elif name == cast.TIMINGS:
                self.timings += json.loads(str(value))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Settle what takes the whole run, and report what fails by it while JUnit and others still listen."""
        if session.config.option.collectonly:
            return
        stopped = session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldfail or session.shouldstop
        whole = not stopped and not is_selection(session.config)
        self._sort()
        known = find(self.controls)
        self.controls = [annotate(control, known) for control in self.controls]
        for nodeid, verdict in self.verdicts.items():
            self.verdicts[nodeid] = withdraw(verdict, known)
            if verdict["passed"] and not self.verdicts[nodeid]["passed"] and not verdict["advisory"]:
                self.blind.append(known[names_of(verdict)])
                _report(session, nodeid, self.verdicts[nodeid]["sentence"])
        asked, verdicts = self.trial.config, list(self.verdicts.values())
        self.waivers = reviewed(asked.waiver, verdicts, date.today(), whole=whole, datasets=asked.usual)
        for each in self.waivers:
            if each["state"] == NEEDLESS:
                _report(session, f"pyproject.toml::waiver[{each['match']}]", _needless(each))
        if (self.needless or self.blind) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def needless(self) -> list[str]:
        """Waivers that nothing needs any more, in words."""
        return [_needless(each) for each in self.waivers if each["state"] == NEEDLESS]

    def why_lost(self) -> str:
        """Return in words why the run does not pass."""
        overruled = [*self.needless, *dict.fromkeys(self.blind)]
        rest = len(missed(list(self.verdicts.values()))) - len(self.blind)
        rest += len({failure["nodeid"] for failure in self.failures})
        if not overruled:
            return "at least one verdict or test did not pass"
        return "; ".join(overruled) + (f"; and {counted(rest, 'other test')} did not pass" if rest else "")

    def _sort(self) -> None:
        """Put everything in the order of the plan, whichever worker was faster."""
        place = {nodeid: position for position, nodeid in enumerate(self.guard.planned)}

        def where(entry: dict[str, Any]) -> int:
            return place.get(entry["nodeid"], len(place))

        self.controls.sort(key=where)
        self.failures.sort(key=where)
        self.verdicts = {each["nodeid"]: each for each in sorted(self.verdicts.values(), key=where)}
        keys = dict.fromkeys((each["dataset"], each["metric"]) for each in self.verdicts.values())
        self.scores = {key: self.scores[key] for key in keys}


def _needless(waiver: dict[str, Any]) -> str:
    """Return in words that nothing needs a waiver any more."""
    return f"waiver {waiver['match']!r} is no longer needed"


def _report(session: pytest.Session, nodeid: str, words: str) -> None:
    """Let everybody who listens know of a failure, as if a test had failed."""
    location = (nodeid.partition("::")[0], None, nodeid.rpartition("::")[2])
    for when, outcome in (("call", "failed"), ("teardown", "passed")):
        longrepr = words if outcome == "failed" else None
        report = pytest.TestReport(nodeid, location, {}, outcome, longrepr, when)  # type: ignore[arg-type]
        session.config.hook.pytest_runtest_logreport(report=report)

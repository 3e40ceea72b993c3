"""Results: what only all of them together can tell."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from test_outcome import control, verdict

from zsgate.config.config import Config
from zsgate.plugin.results import Results
from zsgate.report.record import ControlRecord, TimingRecord
from zsgate.report.wire import to_properties
from zsgate.verdict.waiver import Waiver

SOON = date.today() + timedelta(days=30)
WAIVER = Waiver(match="lab-hvg-nmi", reason="retraining", owner="Ada", expires=SOON, max_deficit=1)
NAMES = {"dataset": "lab", "baseline": "hvg", "metric": "nmi"}
UNSURE = ControlRecord(
    nodeid="test_c.py::n", control="noise", expected="loses", got="inconclusive", passed=False, sentence="no", **NAMES
)
PASSES, OTHER = "test_a.py::test_x[lab-hvg-nmi]", "test_a.py::test_x[lab-hvg-asw]"


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Results:
    """Return the results of a run with one waiver, of tests of any file."""
    monkeypatch.setattr("zsgate.plugin.results.is_of_gate", lambda nodeid: nodeid.startswith("test_"))
    return Results(Config(model="mine", waiver=(WAIVER,), usual=("lab",)), "pytest --model=mine")


def report(nodeid: str, *found: object, outcome: str = "passed", when: str = "call") -> pytest.TestReport:
    """Return the report of a test that found something."""
    properties = to_properties(*found)
    return pytest.TestReport(nodeid, ("f", None, nodeid), {}, outcome, None, when, user_properties=properties)


def test_a_waiver_that_nothing_needs_fails_the_run(results):
    """Its test passes and nothing was left out: the run says which waiver to remove."""
    results.pytest_runtest_logreport(report(PASSES, verdict(nodeid=PASSES)))
    fails = results.settle([PASSES], {PASSES})
    assert fails == [("pyproject.toml::waiver[lab-hvg-nmi]", "waiver 'lab-hvg-nmi' is no longer needed")]
    assert [waiver.state for waiver in results.waivers] == ["no longer needed"]


def test_a_run_of_some_tests_cannot_tell_whether_a_waiver_is_needed(results):
    """One of two tests that are due was run."""
    results.pytest_runtest_logreport(report(PASSES, verdict(nodeid=PASSES)))
    assert results.settle([PASSES], {PASSES, OTHER}) == []
    assert [waiver.state for waiver in results.waivers] == ["not needed by this run"]


def test_a_verdict_where_noise_is_as_good_is_withdrawn_and_told(results):
    """The test had passed; what is told in the end is not taken for another test."""
    results.pytest_runtest_logreport(report("test_c.py::n", UNSURE, outcome="failed"))
    assert results.settle(["test_c.py::n"], set()) == [("test_c.py::n", "no")]


@pytest.mark.parametrize(
    ("found", "outcome", "becomes"),
    [
        (verdict("loses", nodeid=PASSES, sentence="mine loses"), "passed", "failed"),
        (verdict("loses", nodeid=PASSES, sentence="mine loses"), "skipped", "failed"),
        (verdict("loses", nodeid=PASSES, advisory=True, sentence="mine loses"), "failed", "skipped"),
        (verdict(nodeid=PASSES), "failed", "passed"),
        (control(passed=False, nodeid=PASSES), "passed", "failed"),
        (TimingRecord(what="embed"), "passed", "failed"),
    ],
)
def test_a_report_says_what_was_found(results, found, outcome, becomes):
    """Whatever hooks and marks made of it; a test that judged nothing has failed."""
    changed = report(PASSES, found, outcome=outcome)
    changed.wasxfail = "a mark"
    results.pytest_runtest_logreport(changed)
    assert changed.outcome == becomes
    assert (becomes == "skipped") == hasattr(changed, "wasxfail")
    assert list(results.marks) == ["xfail"]  # whoever put it there
    assert bool(results.failures) == isinstance(found, TimingRecord)


def test_tests_of_others_are_counted_and_left_alone(results):
    """A failing test of the repository's own."""
    own = pytest.TestReport("own.py::test", ("own.py", 1, "test"), {}, "failed", "why", "call")
    results.pytest_runtest_logreport(own)
    assert (results.others_failed, own.longrepr) == (1, "why")

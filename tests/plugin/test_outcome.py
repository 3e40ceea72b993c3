"""Outcome: what a run comes to is decided by what its tests found, in one table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsgate.report.record import (
    ControlRecord,
    FailureRecord,
    GateState,
    Outcome,
    VerdictRecord,
    WaiverRecord,
    WaiverTerms,
)
from zsgate.run.findings.outcome import Ending, ExitCode, Findings, decide

NAMES = {"dataset": "lab", "metric": "nmi", "baseline": "hvg"}
TERMS = {"match": "*-nmi", "reason": "known", "owner": "me", "expires": "2027-01-31", "max_deficit": 0.1}


def verdict(outcome: str = "beats", *, passed: bool | None = None, nodeid: str = "a", **rest) -> VerdictRecord:
    """Return a verdict; it passes if it beats, unless something else is said."""
    fields = {"ours": 0.5, "theirs": 0.4, "difference": 0.1, "model": "mine", **NAMES, **rest}
    passes = outcome == "beats" if passed is None else passed
    return VerdictRecord(nodeid=nodeid, outcome=Outcome(outcome), passed=passes, **fields)


def control(*, passed: bool, nodeid: str = "c", name: str = "noise") -> ControlRecord:
    """Return a control that did what it must, or did not."""
    got = "loses" if passed else "beats"
    return ControlRecord(
        nodeid=nodeid, control=name, expected="loses", got=got, passed=passed, sentence="noise beats hvg", **NAMES
    )


def failure(whose: str, nodeid: str = "f") -> FailureRecord:
    """Return a test that ended without a verdict."""
    return FailureRecord(nodeid=nodeid, what=whose, message=f"{whose} failed")


WAIVED = verdict("loses", waiver=WaiverTerms(**TERMS))
NEEDLESS = WaiverRecord(**TERMS, state="no longer needed")
WITHDRAWN = verdict("inconclusive", passed=False, withdrawn="on lab hvg cannot be told from noise")
PASSES = Findings(planned=("a",), verdicts=(verdict(),), controls=(control(passed=True),))

TABLE = {
    "all passed": (PASSES, "passed", 0, "every verdict that decides passed"),
    "one lost": (replace(PASSES, verdicts=(verdict("loses"),)), "lost", 1, "at least one verdict or test"),
    "ahead but short of a condition": (
        replace(PASSES, verdicts=(verdict(passed=False),)), "lost", 1, "at least one verdict",
    ),
    "none lost, one unsure": (
        replace(PASSES, verdicts=(verdict("inconclusive"),)), "inconclusive", 1, "at least one verdict or test",
    ),
    "an advisory verdict lost": (
        replace(PASSES, verdicts=(verdict(), verdict("loses", advisory=True, nodeid="b"))), "passed", 0, "every",
    ),
    "waived": (replace(PASSES, verdicts=(WAIVED,)), "waived", 0, "or is waived (1 are)"),
    "a waiver nobody needs": (replace(PASSES, waivers=(NEEDLESS,)), "lost", 1, "'*-nmi' is no longer needed"),
    "withdrawn": (replace(PASSES, verdicts=(WITHDRAWN,)), "inconclusive", 1, "on lab hvg cannot be told from noise"),
    "the candidate failed": (replace(PASSES, failures=(failure("candidate"),)), "lost", 1, "at least one verdict"),
    "a baseline failed": (replace(PASSES, failures=(failure("baseline"),)), "broke", 3, "baseline failed"),
    "a control failed": (replace(PASSES, controls=(control(passed=False),)), "broke", 3, "control noise failed on lab"),
    "broke and lost": (
        replace(PASSES, verdicts=(verdict("loses"),), faults=("worker gw0 did not end cleanly",)), "broke", 3, "gw0",
    ),
    "a planned test that judged nothing": (replace(PASSES, planned=("a", "b")), "broke", 3, "1 of 2 planned tests"),
    "stopped after enough failures": (
        replace(PASSES, planned=("a", "b"), verdicts=(verdict("loses"),), ending=Ending.ENOUGH), "lost", 1, "at least",
    ),
    "stopped early with nothing lost": (
        replace(PASSES, planned=("a", "b"), others_failed=1, ending=Ending.ENOUGH), "interrupted", 2, "before every",
    ),
    "interrupted": (replace(PASSES, ending=Ending.INTERRUPTED), "interrupted", 2, "what was computed is kept"),
    "interrupted and broken": (
        replace(PASSES, faults=("internal error",), ending=Ending.INTERRUPTED), "interrupted", 2, "interrupted",
    ),
    "out of time": (
        replace(PASSES, planned=("a", "b"), ending=Ending.OUT_OF_TIME), "incomplete", 3, "when 1 of 2 planned tests",
    ),
    "out of time and broken": (
        replace(PASSES, planned=("a", "b"), faults=("worker gw0 did not end cleanly",), ending=Ending.OUT_OF_TIME),
        "incomplete", 3, "budget",
    ),
    "out of time with a verdict lost": (
        replace(PASSES, planned=("a", "b"), verdicts=(verdict("loses"),), ending=Ending.OUT_OF_TIME),
        "incomplete", 3, "budget",
    ),
    "the time was up after the last test": (replace(PASSES, ending=Ending.OUT_OF_TIME), "passed", 0, "every"),
    "refused": (Findings(refused="hvg needs scanpy"), "unusable", 4, "hvg needs scanpy"),
    "nothing selected": (Findings(nothing="-k leaves none"), "unusable", 5, "-k leaves none"),
    "controls only": (Findings(controls=(control(passed=True),)), "unusable", 5, "no verdict was reached"),
    "published numbers only": (Findings(controls=(control(passed=True, name="published"),)), "passed", 0, "every"),
    "others failed beside a pass": (replace(PASSES, others_failed=2), "passed", 1, "2 tests beside the gate's failed"),
    "others failed and no verdict": (Findings(others_failed=1, nothing="none"), "unusable", 1, "none"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_every_state(case):
    """State, exit code and reason follow from what was found."""
    found, state, code, reason = TABLE[case]
    outcome = decide(found)
    assert (outcome.state, outcome.exit_code) == (state, code)
    assert reason in outcome.reason


def test_every_state_has_a_case():
    """A state that is added must be decided somewhere, but for that of a run which goes on."""
    assert {state for _, state, _, _ in TABLE.values()} == set(GateState) - {GateState.RUNNING}


verdicts = st.lists(
    st.builds(
        lambda outcome, passed, advisory, waived, nodeid: verdict(
            outcome, passed=passed, advisory=advisory, nodeid=nodeid, waiver=WaiverTerms(**TERMS) if waived else None
        ),
        st.sampled_from(["beats", "loses", "inconclusive"]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.sampled_from("abcd"),
    ),
    max_size=4,
).map(tuple)
anything = st.builds(
    Findings,
    planned=st.lists(st.sampled_from("abcdef"), unique=True).map(tuple),
    verdicts=verdicts,
    controls=st.lists(st.builds(lambda passed: control(passed=passed), st.booleans()), max_size=2).map(tuple),
    failures=st.lists(st.builds(failure, st.sampled_from(["candidate", "baseline", "gate"])), max_size=2).map(tuple),
    faults=st.lists(st.just("a worker is gone"), max_size=1).map(tuple),
    others_failed=st.integers(0, 2),
    ending=st.sampled_from(Ending),
)


@given(anything)
def test_only_a_run_in_which_everything_is_known_to_have_passed_exits_0(found):
    """No mixture of findings turns a loss, a fault or a missing result into a pass."""
    outcome = decide(found)
    clean = (
        not any(each.is_missed for each in found.verdicts)
        and not found.failures
        and not found.faults
        and not found.others_failed
        and not found.unjudged
        and all(each.passed for each in found.controls)
        and found.ending is not Ending.INTERRUPTED
    )
    if outcome.exit_code is ExitCode.PASSED:
        assert clean
        assert outcome.state in (GateState.PASSED, GateState.WAIVED)
        assert found.verdicts
    if outcome.state in (GateState.LOST, GateState.INCONCLUSIVE, GateState.BROKE):
        assert outcome.exit_code is not ExitCode.PASSED

"""The sentence why: what it claims of each kind of run, and that its counts add up."""

from __future__ import annotations

import pytest
from made_records import PROVENANCE, broken, changed, empty, judged, verdict
from msgspec.structs import replace

from zsgate.report.record import FailureRecord, GateState, Outcome, Provenance, Record, WaiverRecord, WaiverTerms
from zsgate.report.sentence import headline, tally, waived

TERMS = {"match": "d-hvg-asw", "reason": "small", "owner": "Li", "expires": "2027-01-31", "max_deficit": 0.1}


def test_headline_of_a_lost_gate(record: Record) -> None:
    """A lost gate names the baselines not beaten and counts passed, lost and inconclusive."""
    assert headline(record) == (
        "cellama does not beat hvg, pca, scvi and random_init: 3 of 20 tests passed, 12 lost, 5 inconclusive "
        "on pancreas_quick."
    )


def test_headline_of_a_passed_gate(record: Record) -> None:
    """A passed gate names every baseline beaten; another policy has another verb."""
    won = [replace(each, passed=True, outcome=Outcome.BEATS) for each in record.verdicts]
    passed = replace(record, gate=GateState.PASSED, verdicts=tuple(won))
    assert headline(passed).startswith("cellama beats hvg, pca, scvi and random_init: all 20 tests passed on")
    good = judged(passed, [replace(each, policy="noninferior") for each in won])
    assert headline(good).startswith("cellama is not inferior to hvg")
    assert headline(changed(good, 0, policy="point")).startswith("cellama meets the terms set against hvg")


def test_headline_of_an_inconclusive_gate(record: Record) -> None:
    """An inconclusive gate is never called lost."""
    verdicts = [v for v in record.verdicts if v.outcome is not Outcome.LOSES]
    sentence = headline(replace(record, gate=GateState.INCONCLUSIVE, verdicts=tuple(verdicts)))
    assert sentence.startswith("cellama cannot be told apart from random_init and scvi: 3 of 8 tests passed, 5 inconc")
    assert "lost" not in sentence


def test_headline_of_a_broken_gate() -> None:
    """A broken gate claims nothing about the model and names what broke."""
    sentence = headline(broken())
    assert sentence.startswith("The gate broke, so nothing is claimed about cellama: 1 control failed (shuffled), ")
    assert "1 baseline error and 1 internal error" in sentence


@pytest.mark.parametrize("gate", GateState)
def test_headline_when_nothing_was_judged(gate: GateState) -> None:
    """Without a verdict nothing is claimed, whatever the gate."""
    assert "nothing is claimed about cellama" in headline(replace(empty(), gate=gate))


def test_headline_of_a_run_that_could_not_start() -> None:
    """It says why, in the words of whoever refused."""
    record = replace(empty(), gate=GateState.UNUSABLE, provenance=Provenance(exit_reason="no file cells.h5ad."))
    assert headline(record) == ("The run could not start, so nothing is claimed about cellama: no file cells.h5ad.")


def test_headline_of_a_run_that_goes_on(record: Record) -> None:
    """A run that has not finished claims nothing, whatever it found so far, and says what that is."""
    assert headline(replace(record, gate=GateState.RUNNING)) == (
        "The run was started and has not finished, so nothing is claimed about cellama: 3 of 20 tests passed, 12 lost, "
        "5 inconclusive on pancreas_quick."
    )
    assert headline(replace(record, gate=GateState.RUNNING, verdicts=())) == (
        "The run was started and has not finished, so nothing is claimed about cellama."
    )


def test_headline_of_a_run_out_of_time(record: Record) -> None:
    """A run that is incomplete claims nothing, and says how far it came."""
    reason = "its budget of time was used up when 20 of 31 planned tests had their turn"
    provenance = replace(record.provenance, exit_reason=reason)
    assert headline(replace(record, gate=GateState.INCOMPLETE, provenance=provenance)) == (
        "The run is incomplete, so nothing is claimed about cellama: 3 of 20 tests passed, 12 lost, 5 inconclusive on "
        f"pancreas_quick; {reason}."
    )


def test_headline_of_a_candidate_that_failed(record: Record) -> None:
    """A candidate whose output is unusable is named as the cause, not as a loss to anybody."""
    failures = tuple(
        FailureRecord(nodeid=v.nodeid, what="candidate", dataset=v.dataset, message="cellama gave NaN")
        for v in record.verdicts
    )
    sentence = headline(replace(record, verdicts=(), failures=failures))
    assert sentence.startswith("cellama gave no usable output in 20 tests: 0 of 20 tests passed, 20 errors")


def test_headline_of_a_waived_loss() -> None:
    """What is waived is said to be, and against whom; a waiver that nothing needs is the reason why a run is lost."""
    excused = verdict("d", "hvg", "asw", waiver=WaiverTerms(**TERMS))
    record = judged(replace(empty(), gate=GateState.WAIVED), [excused])
    assert headline(record) == "cellama is waived against hvg: 0 of 1 test passed, 1 waived on d."
    needless = WaiverRecord(**TERMS, state="no longer needed", tests=0)
    won = judged(empty(), [verdict("d", "hvg", "asw", passed=True, outcome=Outcome.BEATS)])
    lost = replace(won, gate=GateState.LOST, waivers=(needless,))
    assert headline(lost) == "cellama no longer needs 1 waiver (d-hvg-asw): 1 of 1 test passed on d."
    assert waived(needless) == "waiver d-hvg-asw: no longer needed; Li: small; at most 0.100 behind, until 2027-01-31"


def test_advisory_tests_are_not_counted(record: Record) -> None:
    """They are shown and decide nothing."""
    assert sum(tally(changed(record, 0, advisory=True)).values()) == 19


def test_counts_add_up(any_record: Record) -> None:
    """The total in the sentence is the number of verdicts and of tests that ended without one."""
    n = len(any_record.verdicts) + sum(f.what != "control" for f in any_record.failures)
    assert n == 0 or f"of {n} tests passed" in headline(any_record)


def test_sentence_is_one_line() -> None:
    """A line break in a name cannot start a second line."""
    record = replace(empty(), model="a\n::error::b", gate=GateState.LOST, provenance=PROVENANCE)
    assert "\n" not in headline(judged(record, [verdict("d\ne", "hvg", "asw")]))

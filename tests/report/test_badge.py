"""The badge: what shields.io draws, green only where the whole gate passed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from made_records import judged, sample, verdict
from msgspec.structs import replace

from zsgate.report.github.badge import badge, unread
from zsgate.report.record import (
    DatasetRecord,
    GateState,
    Outcome,
    Record,
    SelectionRecord,
    VerdictRecord,
    WaiverTerms,
)

TERMS = WaiverTerms(match="*", reason="known", owner="Ada", expires="2027-01-31", max_deficit=0.1)


def passed(*datasets: str) -> Record:
    """Return the record of a gate that passed."""
    verdicts = [verdict(name, "hvg", "asw", passed=True, outcome=Outcome.BEATS) for name in datasets]
    record = replace(judged(sample(), verdicts), gate=GateState.PASSED)
    named = tuple(DatasetRecord(name=name) for name in datasets)
    return replace(record, datasets=named, provenance=replace(record.provenance, exit_code=0))


def drawn(record: Record) -> dict[str, Any]:
    found = json.loads(badge(record))
    assert found["schemaVersion"] == 1
    assert found["label"] == "zero-shot"
    assert set(found) == {"schemaVersion", "label", "message", "color", "isError"}
    return found


def test_a_gate_that_passed_is_green() -> None:
    """With the number of datasets."""
    found = drawn(passed("a", "b", "c", "d", "e"))
    assert (found["message"], found["color"], found["isError"]) == ("passed 5/5", "brightgreen", False)


def test_other_states_are_told_apart() -> None:
    """Lost with whom against, inconclusive, broken, waived, some tests only, failed tests beside the gate's."""
    whole, record = passed("a"), sample()
    cases: list[tuple[Record, str, str]] = [
        (record, "lost to hvg, pca, scvi and 1 more", "red"),
        (replace(record, gate=GateState.INCONCLUSIVE), "inconclusive", "yellow"),
        (replace(record, gate=GateState.BROKE), "broken", "lightgrey"),
        (replace(record, gate=GateState.RUNNING), "running", "lightgrey"),
        (replace(whole, verdicts=()), "no verdict", "lightgrey"),
        (replace(whole, selection=SelectionRecord(n_due=9, n_selected=1)), "passed 1 of 9 tests", "yellow"),
        (replace(whole, provenance=replace(whole.provenance, exit_code=1)), "passed, other tests failed", "yellow"),
        (replace(whole, datasets=(DatasetRecord(name="a"), DatasetRecord(name="b"))), "passed 1/2", "brightgreen"),
    ]
    excused = replace(whole.verdicts[0], passed=False, waiver=TERMS)
    cases.append((replace(whole, gate=GateState.WAIVED, verdicts=(excused,)), "waived against hvg", "yellow"))
    for made, message, colour in cases:
        found = drawn(made)
        assert (found["message"], found["color"]) == (message, colour)
    assert json.loads(unread())["isError"] is True
    assert json.loads(unread())["color"] == "lightgrey"


@given(st.sampled_from(GateState), st.text(max_size=200), st.sampled_from([0, 1, 2, 3, None]))
def test_nothing_but_a_pass_is_green(gate: GateState, name: str, code: int | None) -> None:
    """Whatever the names, and however long; a message fits on a badge."""
    record = passed("a")
    verdicts: tuple[VerdictRecord, ...] = tuple(replace(each, baseline=name, passed=False) for each in record.verdicts)
    made = replace(record, gate=gate, verdicts=verdicts, provenance=replace(record.provenance, exit_code=code))
    found = drawn(made)
    assert ("green" in found["color"]) == (gate is GateState.PASSED and code == 0)
    assert len(found["message"]) <= 60

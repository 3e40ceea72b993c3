"""Found travel as user properties: what is sent is what arrives."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from made_records import controls, verdict

from zsgate.report.record import BaselineRecord, CheckRecord, FailureRecord, ScoreRecord, TimingRecord
from zsgate.report.wire import Found, from_properties, to_properties

SCORE = ScoreRecord(dataset="d", metric="asw", value=0.5, draws=(0.5,), leave_outs=(0.4, math.nan), units=("a", "b"))
FAILURE = FailureRecord(nodeid="t[d]", what="candidate", dataset="d", message="line\nbreak, NaN, \x1b[31m")
TIMINGS = (
    TimingRecord(what="read d", dataset="d", seconds=1.5),
    TimingRecord(what="embed hvg", dataset="d", seconds=0.1, cached=True, who="hvg", notes={"genes": 2000}),
)
CHECK = CheckRecord(nodeid="t[d]", dataset="d", check="presented alone", cells=2, moved=math.inf)


def test_what_is_sent_arrives() -> None:
    """Every kind of result arrives as it was, in order; what others left among the properties is passed over."""
    sent = verdict("d", "hvg", "asw", ours=math.nan)
    properties = to_properties(sent, SCORE, controls()[0], FAILURE, *TIMINGS, CHECK)
    found = from_properties([("theirs", object()), *properties, ("zsgate_other", "x")])
    assert found == Found(
        verdicts=(sent,),
        scores=(SCORE,),
        controls=controls()[:1],
        failures=(FAILURE,),
        timings=TIMINGS,
        checks=(CHECK,),
    )


def test_properties_are_plain() -> None:
    """Other processes get text, numbers and None of the exact types, since execnet knows no others."""
    for name, value in to_properties(verdict("d", "hvg", "asw"), SCORE, FAILURE):
        assert name.startswith("zsgate_")
        assert type(value) in (str, float, int, bool, type(None))


def test_a_reader_of_junit_finds_the_main_numbers() -> None:
    """Beside the verdict its outcome, difference, scores and p stand under names of their own."""
    properties = dict(to_properties(verdict("d", "hvg", "asw", p=math.nan)))
    assert properties["zsgate_outcome"] == "loses"
    assert properties["zsgate_ours"] == 0.512
    assert properties["zsgate_p"] is None
    assert json.loads(properties["zsgate_verdict"])["metric"] == "asw"


def test_the_sentence_is_that_of_the_verdict_or_control() -> None:
    """What pytest-html shows in a row."""
    assert from_properties(to_properties(controls()[0])).sentence == "oracle beats by asw"
    assert from_properties(to_properties(verdict("d", "hvg", "asw"))).sentence.startswith("asw 0.512 of cellama")
    assert from_properties(to_properties(FAILURE)).sentence == ""


def test_what_is_not_ours_is_refused() -> None:
    """A record that is no result cannot be sent, and a property of our name that is none is an error."""
    with pytest.raises(KeyError):
        to_properties(BaselineRecord(name="hvg"))
    with pytest.raises(msgspec.ValidationError, match="outcome"):
        from_properties([("zsgate_verdict", msgspec.json.encode({**DICT, "outcome": "wins"}).decode())])


DICT = msgspec.to_builtins(verdict("d", "hvg", "asw"))

"""Verdicts: what passes under which terms, what must never pass, and what is said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import OURS, THEIRS, ZERO, pairs, score

from zsgate.verdict.terms import POLICIES, Floor, Names, Signal, Terms
from zsgate.verdict.verdict import judge


def test_noninferior_judges_what_it_asks():
    """Its p is that of being worse by the margin, and an interval above zero beats, whatever the margin."""
    ours = score(0.5, [0.50, 0.51, 0.49, 0.50, 0.52, 0.48, 0.50, 0.50])
    ahead = judge(ours, score(0.4, [0.4] * 8), Terms(policy="noninferior", margin=0.5))
    assert (ahead.outcome, ahead.passed) == ("beats", True)
    equal = judge(ours, score(0.5, [0.5] * 8), Terms(policy="noninferior", margin=0.1))
    assert (equal.outcome, equal.passed) == ("inconclusive", True)
    assert equal.p < 0.05
    assert "is not inferior to" in equal.sentence
    worse = judge(ours, score(0.5, [0.5] * 8), Terms(policy="noninferior", margin=0.001))
    assert not worse.passed
    assert worse.p > 0.05
    assert "is not shown to be as good as" in worse.sentence


@given(pairs, st.floats(0, 0.5), st.sampled_from(POLICIES))
def test_beats_is_the_one_sided_test(pair, margin, policy):
    """Outcome, p-value and interval tell one story: p < 5 % where it beats, or passes as not inferior."""
    verdict = judge(*(score(*one) for one in pair), Terms(margin=margin, policy=policy))
    if verdict.variance.total > 1e-20 and abs(verdict.p - 0.05) > 1e-9:
        told = verdict.passed if policy == "noninferior" else verdict.outcome == "beats"
        assert told == (verdict.p < 0.05)
    assert (verdict.outcome == "loses") == (verdict.interval[1] < 0)
    if verdict.outcome == "beats":
        assert verdict.passed, "a difference shown to exceed the margin passes under every policy"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_an_undefined_value_never_passes(policy, bad, side):
    """NaN or infinity on either side is inconclusive and fails under every policy."""
    sides = [OURS, THEIRS]
    sides[side] = replace(sides[side], value=bad)
    verdict = judge(*sides, Terms(policy=policy))
    assert (verdict.outcome, verdict.passed, verdict.interval) == ("inconclusive", False, None)
    assert "asw is not defined on these cells" in verdict.sentence


def test_the_margin_moves_the_bar_only():
    """With a margin the same interval must lie above it; losing stays below zero; the sentence tells the margin."""
    ours = score(0.1, [0.10, 0.11, 0.09, 0.10, 0.10, 0.10, 0.11, 0.09])
    assert judge(ours, ZERO, Terms(margin=0.05)).outcome == "beats"
    strict = judge(ours, ZERO, Terms(margin=0.09))
    assert (strict.outcome, strict.interval) == ("inconclusive", judge(ours, ZERO).interval)
    assert "margin 0.09" in strict.sentence
    assert judge(ZERO, ours, Terms(margin=0.09)).outcome == "loses"


def test_policies_pass_what_they_say():
    """Under beats the outcome counts, under noninferior a lower end above -margin, under point a bare difference."""
    slightly_worse = score(-0.01, [-0.010, -0.011, -0.009, -0.010, -0.012, -0.008, -0.010, -0.010])
    for policy, margin, passed in [
        ("beats", 0.0, False),
        ("noninferior", 0.0, False),
        ("noninferior", 0.05, True),
        ("point", 0.0, False),
    ]:
        verdict = judge(slightly_worse, ZERO, Terms(policy=policy, margin=margin))
        assert (verdict.outcome, verdict.passed) == ("loses", passed)
    assert judge(OURS, THEIRS, Terms(policy="point")).passed
    assert not judge(OURS, THEIRS, Terms(policy="point", margin=0.1)).passed
    assert "policy point" in judge(OURS, THEIRS, Terms(policy="point")).sentence
    with pytest.raises(ValueError, match="unknown policy 'wins'"):
        judge(OURS, THEIRS, Terms(policy="wins"))


def test_the_sentence_says_it_all():
    """Model, values, outcome, baseline, dataset, difference, interval and units; pytest shows it as the message."""
    ours = score(0.512, [0.512] * 6)
    verdict = judge(ours, score(0.25, [0.25] * 6), names=Names(model="mine", baseline="hvg", dataset="pancreas"))
    assert repr(verdict) == verdict.sentence
    assert verdict.sentence == (
        "mine (asw 0.512) beats hvg (0.250) on pancreas: difference +0.262, "
        "90 % interval [+0.262, +0.262] over 6 donors"
    )
    with pytest.raises(AssertionError, match="loses to"):
        assert judge(score(0.25, [0.25] * 6), ours)


def test_an_objection_stops_a_verdict_from_passing():
    """A verdict under a condition keeps its outcome and says why it does not count."""
    verdict = judge(score(0.5, [0.5] * 6), score(0.1, [0.1] * 6)).not_passed("no signal")
    assert (verdict.outcome, verdict.passed) == ("beats", False)
    assert verdict.sentence.endswith("; no signal")
    twice = judge(score(0.5), score(0.1)).not_passed("no signal")
    assert twice.reason.startswith("no donors are known")
    assert twice.reason.endswith("; no signal")


@pytest.mark.parametrize(("threshold", "passed"), [(0.5, True), (0.51, False)])
def test_a_threshold_is_for_our_own_value(threshold, passed):
    """What is reached exactly is reached; an error must not exceed it."""
    ours, theirs = score(0.5, [0.5] * 6), score(0.1, [0.1] * 6)
    verdict = judge(ours, theirs, Terms(threshold=threshold))
    assert (verdict.outcome, verdict.passed) == ("beats", passed)
    assert ("its own asw of 0.500 does not reach 0.51" in verdict.reason) is not passed
    turned = [replace(one, value=-one.value, higher_is_better=False) for one in (ours, theirs)]
    worse = [replace(one, leave_outs=tuple(-x for x in one.leave_outs)) for one in turned]
    assert judge(*worse, Terms(threshold=-threshold)).passed is passed


def test_an_objection_and_a_lack_of_signal_are_both_said():
    """A verdict passes only without objection and with a score above that of the embedding's own shuffled rows."""
    sides = score(0.5, [0.5] * 6), score(0.1, [0.1] * 6)
    names = Names(model="mine", baseline="hvg", dataset="lab")
    assert judge(*sides, names=names, proviso=Signal(*sides)) == judge(*sides, names=names)
    verdict = judge(*sides, names=names, proviso=Signal(sides[1], sides[0]), objection="it was seen")
    assert (verdict.outcome, verdict.passed) == ("beats", False)
    assert verdict.reason.startswith("it was seen; it does not count without cell-type signal: mine (asw 0.100) loses")
    assert "its shuffled twin (0.500) on lab" in verdict.reason


@pytest.mark.parametrize(("purity", "passed"), [(0.61, True), (0.57, True), (0.54, False)])
def test_mixing_counts_only_where_types_are_separated_no_worse(purity, passed):
    """The floor is the baseline's own separation less 0.05, shown by the interval and not by the bare difference."""
    sides = score(0.5, [0.5] * 6), score(0.1, [0.1] * 6)
    spread = [0.02, -0.02, 0.01, -0.01, 0.0, 0.0]
    names = Names(model="mine", baseline="hvg", dataset="lab")
    floor = Floor(score(purity, [purity + each / 10 for each in spread]), score(0.6, [0.6] * 6))
    verdict = judge(*sides, names=names, proviso=floor)
    assert (verdict.outcome, verdict.passed) == ("beats", passed)
    said = (
        f"it does not count where cell types are separated worse: mine (asw {purity:.3f}) loses to hvg (0.600) on lab"
    )
    assert (said in verdict.reason) is not passed
    wide = Floor(score(0.58, [0.58 + each for each in spread]), score(0.6, [0.6] * 6))
    assert not judge(*sides, proviso=wide).passed
    assert judge(*sides, Terms(policy="noninferior", margin=0.2), proviso=floor).passed is passed


def test_a_floor_without_donors():
    """No interval can be had: only under point is it enough that the bare difference is above -0.05."""
    above, below = (Floor(score(purity), score(0.6)) for purity in (0.56, 0.54))
    ahead = score(0.5), score(0.1)
    assert judge(*ahead, Terms(policy="point"), proviso=above).passed
    assert not judge(*ahead, Terms(policy="point"), proviso=below).passed
    assert not judge(score(0.5, [0.5] * 6), score(0.1, [0.1] * 6), proviso=above).passed


@pytest.mark.parametrize(("signal", "passed"), [(0.06, True), (0.05, False)])
def test_a_bare_signal_must_be_clear(signal, passed):
    """Without donors no interval of the signal can be had: under point more than 0.05 is enough, noise is less."""
    bare = Signal(score(signal), score(0.0))
    assert judge(score(0.5), score(0.1), Terms(policy="point"), proviso=bare).passed is passed
    strict = judge(score(0.5, [0.5] * 6), score(0.1, [0.1] * 6), proviso=bare)
    assert (strict.outcome, strict.passed) == ("beats", False)

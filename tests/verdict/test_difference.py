"""Differences: symmetries, and what forbids an interval."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import FLAT, OURS, THEIRS, pairs, score

from zsgate.verdict.terms import Terms
from zsgate.verdict.verdict import judge


@pytest.mark.parametrize("policy", ["beats", "point"])
def test_rounding_is_no_difference(policy):
    """Sums of the same terms in another order differ by 1e-16: that is not above."""
    verdict = judge(score(0.5 + 4e-16, [0.5] * 8), score(0.5, [0.5] * 8), Terms(policy=policy))
    assert (verdict.difference, verdict.passed) == (0, False)


def test_lower_is_better_turns_the_difference():
    """A smaller error is a positive difference."""
    ours, theirs = (replace(one, higher_is_better=False) for one in (score(0.1, [0.1] * 6), score(0.3, [0.3] * 6)))
    assert judge(ours, theirs).difference == pytest.approx(0.2)
    assert judge(ours, theirs).outcome == "beats"
    assert judge(theirs, ours).outcome == "loses"


@given(pairs)
def test_swapping_sides_negates_the_verdict(pair):
    """Difference and interval change sign, beats and loses change places; the p-values add up to one."""
    ours, theirs = (score(*one) for one in pair)
    there, back = judge(ours, theirs), judge(theirs, ours)
    assert there.difference == -back.difference
    assert there.interval == (-back.interval[1], -back.interval[0])
    swapped = {"beats": "loses", "loses": "beats", "inconclusive": "inconclusive"}
    assert there.outcome == swapped[back.outcome]
    if there.variance.total > 1e-20:
        assert there.p + back.p == pytest.approx(1)


@given(pairs, st.randoms())
def test_donors_are_exchangeable(pair, chance):
    """Neither the names nor the order of the donors matter."""
    known = judge(*(score(*one) for one in pair))
    order = list(range(known.n_units))
    chance.shuffle(order)
    names = tuple(f"other {i}" for i in order)
    renamed = judge(*(score(value, [left[i] for i in order], units=names) for value, left in pair))
    assert renamed.outcome == known.outcome
    assert renamed.interval == pytest.approx(known.interval, abs=1e-12)


@pytest.mark.parametrize("n_donors", [2, 3, 5])
def test_fewer_than_six_donors_are_inconclusive(n_donors):
    """Few donors cannot speak for new ones, however large the difference; the sentence says what would do."""
    verdict = judge(score(1.0, [1.0] * n_donors), score(0.0, [0.0] * n_donors))
    assert (verdict.outcome, verdict.passed) == ("inconclusive", False)
    assert f"{n_donors} donors cannot speak for new ones (6 are needed; scope = 'cells'" in verdict.sentence


def test_unknown_donors_are_inconclusive():
    """Without donors nothing is said about new ones; the bare comparison still can be asked for."""
    ours, theirs = score(1.0), score(0.0)
    assert judge(ours, theirs).outcome == "inconclusive"
    assert "no donors are known" in judge(ours, theirs).sentence
    assert judge(ours, theirs, Terms(policy="point")).passed


def test_groups_of_cells_speak_for_these_donors():
    """With scope 'cells' the units are groups of cells, and the sentence says so; too few are inconclusive."""
    units = tuple(f"group {i:02d}" for i in range(8))
    ours, theirs = (replace(one, unit="cells", units=units) for one in (score(0.6, [0.6] * 8), THEIRS))
    assert "over 8 groups of cells" in judge(ours, theirs).sentence
    one, other = (score(x, [x], units=("group 01",), unit="cells") for x in (1.0, 0.0))
    assert judge(one, other).outcome == "inconclusive"
    assert "1 groups of cells are too few" in judge(one, other).reason


def test_an_undefined_leave_out_names_its_donor():
    """A score that one donor's absence makes undefined is inconclusive, on whichever side, with at most five names."""
    missing = replace(OURS, leave_outs=(*OURS.leave_outs[:2], math.nan, *OURS.leave_outs[3:]))
    for sides in ((missing, THEIRS), (THEIRS, missing)):
        verdict = judge(*sides)
        assert (verdict.outcome, verdict.interval) == ("inconclusive", None)
        assert verdict.reason == "asw cannot be computed without donor donor C"
    nothing = replace(OURS, leave_outs=(math.nan,) * 8)
    assert judge(nothing, THEIRS).reason.endswith("donor E, ...")


def test_no_half_that_can_be_scored_is_inconclusive():
    """If no split can be scored the instability is unknown, so nothing is claimed."""
    nothing = ((math.nan, 0.4),) * 4
    verdict = judge(replace(OURS, unit_halves=nothing), replace(THEIRS, unit_halves=FLAT))
    assert (verdict.outcome, verdict.interval) == ("inconclusive", None)
    assert "any half of the donors" in verdict.sentence
    with pytest.raises(ValueError, match="scores of different"):
        judge(replace(OURS, unit_halves=nothing), THEIRS)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("metric", "nmi"),
        ("recipe", "kedzierska2023:1"),
        ("cells", "abc"),
        ("unit", "cells"),
        ("units", tuple("stuvwxyz")),
    ],
)
def test_scores_of_different_things_are_refused(what, other):
    """Metric, recipe, cells and units must be the same on both sides."""
    with pytest.raises(ValueError, match=f"scores of different {what} cannot be compared"):
        judge(OURS, replace(THEIRS, **{what: other}))

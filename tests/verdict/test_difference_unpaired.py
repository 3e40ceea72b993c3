"""Unpaired verdicts: Welch's test on scores of other cells, wider than a paired one, and what forbids them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zsgate.verdict.score import Score
from zsgate.verdict.terms import Terms
from zsgate.verdict.verdict import judge

ONE = np.array([0.53, 0.58, 0.55, 0.51, 0.59, 0.54, 0.56])
OTHER = np.array([0.42, 0.40, 0.49, 0.41, 0.38, 0.47, 0.40, 0.44, 0.43])


def of_donors(effects, name="", **rest):
    """Return a score that is the mean over donors of equal size."""
    effects = np.asarray(effects, dtype=float)
    left_out = tuple(((effects.sum() - effects) / (len(effects) - 1)).tolist())
    units = tuple(f"{name}{number:02d}" for number in range(len(effects)))
    value = float(effects.mean())
    return Score("asw", value, (value,), left_out, units, cells=name, **rest)


OURS, THEIRS = of_donors(ONE, "now"), of_donors(OTHER, "then")


def test_means_over_donors_get_welchs_interval():
    """For scores that are means of donor effects it is scipy's t-test of two samples of unequal variance."""
    verdict = judge(OURS, THEIRS, Terms(paired=False))
    known = stats.ttest_ind(ONE, OTHER, equal_var=False, alternative="greater")
    both = stats.ttest_ind(ONE, OTHER, equal_var=False).confidence_interval(0.9)
    assert verdict.interval == pytest.approx((both.low, both.high), rel=1e-9)
    assert verdict.p == pytest.approx(known.pvalue, rel=1e-6)
    assert (verdict.outcome, verdict.paired, verdict.n_units) == ("beats", False, 7)
    assert "unpaired (other cells: both variances add" in verdict.sentence
    with pytest.raises(ValueError, match="different cells cannot be compared"):
        judge(OURS, THEIRS)


def test_pairing_is_worth_its_trouble():
    """Of the same donors, alike hard for both, the paired interval is a tenth of the unpaired one."""
    theirs = of_donors(ONE - 0.01 + 0.001 * np.arange(7) % 0.002, "now")
    paired, apart = judge(OURS, theirs), judge(OURS, theirs, Terms(paired=False))
    assert paired.difference == apart.difference
    assert (paired.outcome, apart.outcome) == ("beats", "inconclusive")
    width = [each.interval[1] - each.interval[0] for each in (paired, apart)]
    assert width[0] < width[1] / 10


def test_each_side_brings_its_largest_part_and_its_seeds():
    """Halves of one side, of the other 6/9 of the jackknife, and seeds add up; the parts in the record are ours."""
    halves = ((0.5, 0.7), (0.6, 0.4))
    ours = replace(OURS, unit_halves=halves)
    theirs = replace(THEIRS, unit_halves=((0.41, 0.42),) * 2, draws=(0.40, 0.44))
    variance = judge(ours, theirs, Terms(paired=False)).variance
    jackknife = OTHER.var(ddof=1) / 9
    assert variance.halves == pytest.approx(0.2**2 / 4)
    assert variance.jackknife == pytest.approx(ONE.var(ddof=1) / 7)
    assert variance.seeds == 0
    assert variance.theirs == pytest.approx(6 / 9 * jackknife + 0.04**2 / 4)
    assert variance.total == pytest.approx(0.01 + 6 / 9 * jackknife + 0.04**2 / 4)


@given(
    st.lists(st.floats(-1, 1), min_size=6, max_size=12),
    st.lists(st.floats(-1, 1), min_size=6, max_size=12),
    st.booleans(),
)
def test_swapping_sides_negates_the_verdict(one, other, higher):
    """Difference, interval and outcome; and lower-is-better turns all of them."""
    pair = [of_donors(each, name, higher_is_better=higher) for each, name in ((one, "a"), (other, "b"))]
    forth, back = judge(*pair, Terms(paired=False)), judge(*pair[::-1], Terms(paired=False))
    assert back.difference == pytest.approx(-forth.difference)
    assert back.interval == pytest.approx((-forth.interval[1], -forth.interval[0]), abs=1e-12)
    turned = {"beats": "loses", "loses": "beats", "inconclusive": "inconclusive"}
    assert back.outcome == turned[forth.outcome]


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (replace(THEIRS, unit_halves=((0.4, 0.5),)), "recorded without halves"),
        (of_donors(OTHER[:5], "then"), "5 donors cannot speak for new ones"),
        (replace(THEIRS, leave_outs=(float("nan"), *THEIRS.leave_outs[1:])), "cannot be computed without donor then00"),
        (replace(THEIRS, value=float("nan")), "is not defined on these cells"),
        (replace(THEIRS, leave_outs=(), units=()), "no donors are known"),
    ],
)
def test_what_forbids_an_interval_is_said_of_either_side(theirs, words):
    """Inconclusive with the reason, whichever side it is."""
    for pair in ((OURS, theirs), (theirs, OURS)):
        verdict = judge(*pair, Terms(paired=False))
        assert (verdict.outcome, verdict.interval, verdict.passed) == ("inconclusive", None, False)
        assert words in verdict.reason


@pytest.mark.parametrize(("what", "other"), [("metric", "nmi"), ("recipe", "other:1"), ("unit", "cells")])
def test_other_questions_are_refused(what, other):
    """Another metric, recipe or kind of unit is no matter of other cells."""
    with pytest.raises(ValueError, match=f"different {what} cannot be compared"):
        judge(OURS, replace(THEIRS, **{what: other}), Terms(paired=False))


def test_sure_scores_are_compared_as_they_are():
    """Without any variance the sign decides, and nothing is divided by nothing."""
    verdict = judge(of_donors([0.5] * 6, "a"), of_donors([0.4] * 8, "b"), Terms(paired=False))
    assert verdict.outcome == "beats"
    assert verdict.interval == pytest.approx((0.1, 0.1))

"""Intervals: closed-form cases, and how often they are wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_scores import FLAT, HALVES, OURS, THEIRS, ZERO, score
from scipy.stats import t as student

from zsgate.metrics.splits import balanced
from zsgate.verdict.terms import Terms
from zsgate.verdict.verdict import judge


def test_the_interval_is_the_jackknifes():
    """With d(-g) = .09 .12 .08 .11 .13 .11 .10 .06, V_J = 7/8 * .0036 by hand; the quantile is that of t(7)."""
    verdict = judge(OURS, THEIRS)
    se = math.sqrt(7 / 8 * 0.0036)
    assert verdict.variance.jackknife == pytest.approx(se**2, rel=1e-12)
    assert verdict.variance.seeds == 0
    half = student.ppf(0.95, 7) * se
    assert verdict.interval == pytest.approx((0.1 - half, 0.1 + half), rel=1e-12)
    assert verdict.p == pytest.approx(student.sf(0.1 / se, 7), rel=1e-9)
    assert verdict.detectable == pytest.approx((student.ppf(0.95, 7) + student.ppf(0.8, 7)) * se, rel=1e-12)
    assert (verdict.outcome, verdict.passed, verdict.n_units) == ("inconclusive", False, 8)


def test_unequal_donors_have_fewer_degrees_of_freedom():
    """Student's t has one degree less than the effective number of units; leave-outs that drift from d count."""
    verdict = judge(replace(OURS, n_effective=5.5), THEIRS)
    half = student.ppf(0.95, 4.5) * math.sqrt(7 / 8 * 0.0036)
    assert verdict.interval == pytest.approx((0.1 - half, 0.1 + half), rel=1e-9)
    drifted = judge(replace(OURS, value=0.55), THEIRS)
    assert drifted.variance.jackknife == pytest.approx(7 / 8 * (0.0036 + 8 * 0.05**2), rel=1e-12)


def test_a_mean_over_donors_gets_the_textbook_interval():
    """For a score that is a mean of donor effects, V_J is s**2/G: the interval of a paired t-test."""
    effects = np.array([0.03, 0.08, 0.05, 0.01, 0.09, 0.04, 0.06])
    left_out = [(effects.sum() - effect) / 6 for effect in effects]
    verdict = judge(score(effects.mean(), left_out), score(0.0, [0.0] * 7))
    low, high = student.interval(0.9, 6, loc=effects.mean(), scale=effects.std(ddof=1) / math.sqrt(7))
    assert verdict.interval == pytest.approx((low, high), rel=1e-12)
    assert (verdict.outcome, bool(verdict)) == ("beats", True)


def test_seeds_add_the_variance_of_both_means():
    """V_S = s**2/S of each side; a side of one draw adds nothing."""
    ours = score(0.5, [0.5] * 8, draws=[0.4, 0.5, 0.6])
    theirs = score(0.2, [0.2] * 8, draws=[0.1, 0.3])
    assert judge(ours, theirs).variance.seeds == pytest.approx(0.01 / 3 + 0.02 / 2)
    verdict = judge(ours, ZERO)
    assert verdict.variance.total == verdict.variance.seeds == pytest.approx(0.01 / 3)
    assert (verdict.seeds_ours, verdict.seeds_theirs) == (3, 1)


def test_few_seeds_lower_the_degrees_of_freedom():
    """Welch and Satterthwaite, by hand; never more than the donors give."""
    ours = score(0.5, [0.50, 0.52, 0.47, 0.51, 0.55, 0.49, 0.50, 0.46], draws=[0.4, 0.5, 0.6])
    donors, seeds = judge(ours, THEIRS).variance.jackknife, 0.01 / 3
    expected = (donors + seeds) ** 2 / (donors**2 / 7 + seeds**2 / 2)
    assert judge(ours, THEIRS).df == pytest.approx(expected, rel=1e-12)
    assert judge(OURS, THEIRS).df == pytest.approx(7)
    many = replace(ours, draws=tuple(np.linspace(0.46, 0.54, 50)))
    assert judge(many, THEIRS).df == 7


def test_a_model_that_learnt_nothing_rarely_beats_its_twins():
    """One more draw of the twins' distribution: at most 5 % false passes; against their mean alone it is far more."""
    generator = np.random.default_rng(0)
    passed = {True: 0, False: 0}
    for _ in range(1000):
        draws = generator.normal(0.5, 0.02, 6)
        donors = generator.normal(0, 0.002, (2, 8))
        ours = score(draws[0], (draws[0] + donors[0]).tolist())
        theirs = score(draws[1:].mean(), (draws[1:].mean() + donors[1]).tolist(), draws=draws[1:].tolist())
        for exchangeable in passed:
            passed[exchangeable] += judge(ours, theirs, Terms(exchangeable=exchangeable)).passed
    assert passed[False] > 120
    assert 20 < passed[True] < 65  # nominally 50, and 65 is 2.2 standard errors above


def test_the_variance_is_that_of_halves_but_no_less_than_a_share_of_the_jackknifes():
    """The mean over splits of (d1 - d2)**2 / 4, by hand (.04 + .0004 + .01 + 0) / 16; jackknife 7/8 .0036.

    Of eight donors 6/8 of that is the least.
    """
    theirs = replace(THEIRS, unit_halves=FLAT)
    loud, quiet = judge(replace(OURS, unit_halves=HALVES), theirs), judge(replace(OURS, unit_halves=FLAT), theirs)
    assert loud.variance.halves == pytest.approx(0.0504 / 16, rel=1e-12)
    assert loud.variance.total == pytest.approx(0.0504 / 16, rel=1e-12)
    assert quiet.variance.halves == 0
    assert quiet.variance.total == pytest.approx(6 / 8 * 7 / 8 * 0.0036, rel=1e-12)
    alone = judge(OURS, THEIRS)
    assert alone.variance.halves is None
    assert alone.variance.total == pytest.approx(7 / 8 * 0.0036, rel=1e-12)


def test_halves_are_paired_split_by_split():
    """What moves both sides alike moves no difference; a split with an undefined half is left out."""
    same = judge(replace(OURS, unit_halves=HALVES), replace(THEIRS, unit_halves=HALVES))
    assert same.variance.halves == 0
    holes = ((math.nan, 0.4), *HALVES[1:])
    verdict = judge(replace(OURS, unit_halves=holes), replace(THEIRS, unit_halves=FLAT))
    assert verdict.variance.halves == pytest.approx((0.0004 + 0.01) / 12, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "outcome", "p"), [(0.1, "beats", 0.0), (0.0, "inconclusive", 1.0), (-0.1, "loses", 1.0)]
)
def test_no_variance_leaves_the_sign_to_decide(value, outcome, p):
    """Leave-outs that all agree: the interval is a point, and a difference of 0 is not better."""
    verdict = judge(score(value, [value] * 8), ZERO)
    assert (verdict.interval, verdict.outcome, verdict.p) == ((value, value), outcome, p)


@given(st.integers(0, 2**32 - 1), st.integers(6, 12), st.booleans())
def test_a_donor_cut_in_two_does_not_buy_certainty(seed, n_donors, loud):
    """Half of a donor's cells under a new name take from the variance at most half of that donor's part.

    And a share as large as its share of the cells, for a mean over cells with leave-outs by removal.
    """
    rng = np.random.default_rng(seed)
    donors = np.repeat(np.arange(n_donors), rng.integers(2, 30, n_donors))
    values = rng.normal(size=n_donors)[donors] + rng.normal(size=len(donors)) + 10 * loud * (donors == 0)

    def verdict(of):
        left_out = [values[of != donor].mean() for donor in np.unique(of)]
        names = tuple(map(str, np.unique(of)))
        return judge(score(values.mean(), left_out, units=names), score(0.0, [0.0] * len(names), units=names))

    cut = donors.copy()
    own = np.flatnonzero(donors == 0)
    cut[rng.permutation(own)[: len(own) // 2]] = n_donors
    left_out = np.array([values[donors != donor].mean() for donor in range(n_donors)])
    parts = (left_out - left_out.mean()) ** 2
    least = 1 - parts[0] / parts.sum() / 2 - len(own) / len(donors)
    assert verdict(cut).variance.total >= least * verdict(donors).variance.total


def test_unstable_clusters_are_seen_in_halves():
    """2,000 equal pairs whose value jumps with every new sample by more than the donors differ (sd .030, .022).

    Leave-outs that keep the partition do not see it and pass twice as many as they should; with the balanced splits of
    twenty donors, in whose halves a jump has twice the variance, at most 6 % pass.
    """
    generator = np.random.default_rng(11)
    zero = replace(score(0.0, [0.0] * 20, units=tuple(map(str, range(20)))), unit_halves=((0.0, 0.0),) * 20)
    splits = balanced(20, 20)
    passed, without = 0, 0
    for _ in range(2000):
        effects = generator.normal(0, 0.1, 20)
        jump, jumps = generator.normal(0, 0.03), generator.normal(0, 0.03 * math.sqrt(2), (20, 2))
        left_out = (effects.sum() - effects) / 19 + jump
        halves = []
        for left, pair in zip(splits, jumps, strict=True):
            halves.append((effects[left].mean() + pair[0], effects[~left].mean() + pair[1]))
        ours = score(effects.mean() + jump, left_out.tolist(), units=zero.units)
        passed += judge(replace(ours, unit_halves=tuple(halves)), zero).passed
        without += judge(ours, replace(zero, unit_halves=())).passed
    assert passed / 2000 <= 0.06
    assert without / 2000 > 0.1


@pytest.mark.parametrize("n_donors", [6, 20])
def test_equal_models_are_called_better_five_times_in_a_hundred(n_donors):
    """4,000 draws of normal donor effects without a difference: 5 % false passes, within three standard errors."""
    generator = np.random.default_rng(7)
    effects = generator.normal(0, 0.1, (4000, n_donors))
    zero = score(0.0, [0.0] * n_donors, units=tuple(map(str, range(n_donors))))
    passed = 0
    for drawn in effects:
        left_out = (drawn.sum() - drawn) / (n_donors - 1)
        passed += judge(score(drawn.mean(), left_out.tolist(), units=zero.units), zero).passed
    assert passed / len(effects) == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / len(effects)))

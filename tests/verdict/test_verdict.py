"""Verdicts: closed-form cases, symmetries, and what must never pass."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from zsgate.verdict.score import Score
from zsgate.verdict.verdict import POLICIES, judge

DONORS = tuple(f"donor {letter}" for letter in "ABCDEFGHIJ")


def score(value, leave_outs=(), *, draws=None, **rest):
    """Return a score on DONORS, one for each leave-out."""
    units = rest.pop("units", DONORS[: len(leave_outs)])
    return Score("asw", value, tuple(draws or [value]), tuple(leave_outs), units, **rest)


ZERO = score(0.0, [0.0] * 8)
OURS = score(0.5, [0.50, 0.52, 0.47, 0.51, 0.55, 0.49, 0.50, 0.46])
THEIRS = score(0.4, [0.41, 0.40, 0.39, 0.40, 0.42, 0.38, 0.40, 0.40])


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
            passed[exchangeable] += judge(ours, theirs, exchangeable=exchangeable).passed
    assert passed[False] > 120
    assert 20 < passed[True] < 65  # nominally 50, and 65 is 2.2 standard errors above


@pytest.mark.parametrize("policy", ["beats", "point"])
def test_rounding_is_no_difference(policy):
    """Sums of the same terms in another order differ by 1e-16: that is not above."""
    verdict = judge(score(0.5 + 4e-16, [0.5] * 8), score(0.5, [0.5] * 8), policy=policy)
    assert (verdict.difference, verdict.passed) == (0, False)


def test_noninferior_judges_what_it_asks():
    """Its p is that of being worse by the margin, and an interval above zero beats, whatever the margin."""
    ours = score(0.5, [0.50, 0.51, 0.49, 0.50, 0.52, 0.48, 0.50, 0.50])
    ahead = judge(ours, score(0.4, [0.4] * 8), policy="noninferior", margin=0.5)
    assert (ahead.outcome, ahead.passed) == ("beats", True)
    equal = judge(ours, score(0.5, [0.5] * 8), policy="noninferior", margin=0.1)
    assert (equal.outcome, equal.passed) == ("inconclusive", True)
    assert equal.p < 0.05
    assert "is not inferior to" in equal.sentence
    worse = judge(ours, score(0.5, [0.5] * 8), policy="noninferior", margin=0.001)
    assert not worse.passed
    assert worse.p > 0.05
    assert "is not shown to be as good as" in worse.sentence


HALVES = ((0.60, 0.40), (0.50, 0.52), (0.45, 0.55), (0.50, 0.50))
FLAT = ((0.40, 0.40),) * 4


@pytest.mark.parametrize("part", ["unit_halves", "cell_halves"])
def test_halves_widen_what_the_jackknife_does_not_see(part):
    """The mean over splits of (d1 - d2)**2 / 4, by hand (.04 + .0004 + .01 + 0) / 16; the largest part counts."""
    ours, theirs = replace(OURS, **{part: HALVES}), replace(THEIRS, **{part: FLAT})
    verdict = judge(ours, theirs)
    found = {"unit_halves": verdict.variance.halves, "cell_halves": verdict.variance.cells}
    assert found.pop(part) == pytest.approx(0.0504 / 16, rel=1e-12)
    assert list(found.values()) == [None]
    assert verdict.variance.total == pytest.approx(max(0.0504 / 16, 7 / 8 * 0.0036), rel=1e-12)
    quiet = judge(replace(OURS, **{part: FLAT}), theirs)
    assert quiet.interval == judge(OURS, THEIRS).interval


def test_halves_are_paired_split_by_split():
    """What moves both sides alike moves no difference; a split with an undefined half is left out."""
    same = judge(replace(OURS, unit_halves=HALVES), replace(THEIRS, unit_halves=HALVES))
    assert same.variance.halves == 0
    holes = ((math.nan, 0.4), *HALVES[1:])
    verdict = judge(replace(OURS, unit_halves=holes), replace(THEIRS, unit_halves=FLAT))
    assert verdict.variance.halves == pytest.approx((0.0004 + 0.01) / 12, rel=1e-12)


@pytest.mark.parametrize(
    ("part", "said"),
    [("unit_halves", "any random half of the donors"), ("cell_halves", "any random half of the cells")],
)
def test_no_half_that_can_be_scored_is_inconclusive(part, said):
    """If no split can be scored the instability is unknown, so nothing is claimed."""
    nothing = ((math.nan, 0.4),) * 4
    verdict = judge(replace(OURS, **{part: nothing}), replace(THEIRS, **{part: FLAT}))
    assert (verdict.outcome, verdict.interval) == ("inconclusive", None)
    assert said in verdict.sentence
    with pytest.raises(ValueError, match="scores of different"):
        judge(replace(OURS, **{part: nothing}), THEIRS)


@pytest.mark.parametrize(
    ("value", "outcome", "p"), [(0.1, "beats", 0.0), (0.0, "inconclusive", 1.0), (-0.1, "loses", 1.0)]
)
def test_no_variance_leaves_the_sign_to_decide(value, outcome, p):
    """Leave-outs that all agree: the interval is a point, and a difference of 0 is not better."""
    verdict = judge(score(value, [value] * 8), ZERO)
    assert (verdict.interval, verdict.outcome, verdict.p) == ((value, value), outcome, p)


def test_lower_is_better_turns_the_difference():
    """A smaller error is a positive difference."""
    ours, theirs = (replace(one, higher_is_better=False) for one in (score(0.1, [0.1] * 6), score(0.3, [0.3] * 6)))
    assert judge(ours, theirs).difference == pytest.approx(0.2)
    assert judge(ours, theirs).outcome == "beats"
    assert judge(theirs, ours).outcome == "loses"


values = st.floats(-1, 1)
pairs = st.integers(6, 10).flatmap(
    lambda n: st.tuples(*[st.tuples(values, st.lists(values, min_size=n, max_size=n))] * 2)
)


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


@given(pairs, st.floats(0, 0.5), st.sampled_from(POLICIES))
def test_beats_is_the_one_sided_test(pair, margin, policy):
    """Outcome, p-value and interval tell one story: p < 5 % where it beats, or passes as not inferior."""
    verdict = judge(*(score(*one) for one in pair), margin=margin, policy=policy)
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
    verdict = judge(*sides, policy=policy)
    assert (verdict.outcome, verdict.passed, verdict.interval) == ("inconclusive", False, None)
    assert "asw is not defined on these cells" in verdict.sentence


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
    assert judge(ours, theirs, policy="point").passed


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


def test_the_margin_moves_the_bar_only():
    """With a margin the same interval must lie above it; losing stays below zero; the sentence tells the margin."""
    ours = score(0.1, [0.10, 0.11, 0.09, 0.10, 0.10, 0.10, 0.11, 0.09])
    assert judge(ours, ZERO, margin=0.05).outcome == "beats"
    strict = judge(ours, ZERO, margin=0.09)
    assert (strict.outcome, strict.interval) == ("inconclusive", judge(ours, ZERO).interval)
    assert "margin 0.09" in strict.sentence
    assert judge(ZERO, ours, margin=0.09).outcome == "loses"


def test_policies_pass_what_they_say():
    """Under beats the outcome counts, under noninferior a lower end above -margin, under point a bare difference."""
    slightly_worse = score(-0.01, [-0.010, -0.011, -0.009, -0.010, -0.012, -0.008, -0.010, -0.010])
    for policy, margin, passed in [
        ("beats", 0.0, False),
        ("noninferior", 0.0, False),
        ("noninferior", 0.05, True),
        ("point", 0.0, False),
    ]:
        verdict = judge(slightly_worse, ZERO, policy=policy, margin=margin)
        assert (verdict.outcome, verdict.passed) == ("loses", passed)
    assert judge(OURS, THEIRS, policy="point").passed
    assert not judge(OURS, THEIRS, policy="point", margin=0.1).passed
    assert "policy point" in judge(OURS, THEIRS, policy="point").sentence
    with pytest.raises(ValueError, match="unknown policy 'wins'"):
        judge(OURS, THEIRS, policy="wins")


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


def test_the_sentence_says_it_all():
    """Model, values, outcome, baseline, dataset, difference, interval and units; pytest shows it as the message."""
    ours = score(0.512, [0.512] * 6)
    verdict = judge(ours, score(0.25, [0.25] * 6), model="mine", baseline="hvg", dataset="pancreas")
    assert repr(verdict) == verdict.sentence
    assert verdict.sentence == (
        "mine (asw 0.512) beats hvg (0.250) on pancreas: difference +0.262, "
        "90 % interval [+0.262, +0.262] over 6 donors"
    )
    with pytest.raises(AssertionError, match="loses to"):
        assert judge(score(0.25, [0.25] * 6), ours)


def test_an_objection_stops_a_verdict_from_passing():
    """A verdict under a condition keeps its outcome and says why it does not count."""
    verdict = judge(score(0.5, [0.5] * 6), score(0.1, [0.1] * 6)).unless("no signal")
    assert (verdict.outcome, verdict.passed) == ("beats", False)
    assert verdict.sentence.endswith("; no signal")
    twice = judge(score(0.5), score(0.1)).unless("no signal")
    assert twice.reason.startswith("no donors are known")
    assert twice.reason.endswith("; no signal")


@pytest.mark.parametrize("ours", [OURS, score(0.5), score(0.5, [0.5] * 8, draws=[0.4, 0.6])])
def test_a_verdict_travels_as_json(ours):
    """Builtins only, with the keys of verdict.json; JSON gives them back."""
    theirs = replace(THEIRS, leave_outs=(), units=()) if not ours.units else THEIRS
    fields = judge(ours, theirs).as_dict()
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields
    wanted = {"model", "dataset", "metric", "baseline", "ours", "theirs", "difference", "ci", "level", "outcome"}
    assert wanted | {"passed", "policy", "margin", "unit", "n_units", "seeds", "se", "sentence"} <= fields.keys()
    assert (
        fields["se"] is None
        if fields["ci"] is None
        else fields["se"] ** 2 == pytest.approx(fields["variance"]["jackknife"] + fields["variance"]["seeds"])
    )


def test_unstable_clusters_are_seen_in_halves():
    """2,000 equal pairs whose value jumps with every new sample by more than the donors differ (sd .030, .022).

    Leave-outs that keep the partition do not see it and pass twice as many as they should; with four splits, in
    whose halves a jump has twice the variance, at most 7 % pass.
    """
    generator = np.random.default_rng(11)
    zero = replace(score(0.0, [0.0] * 20, units=tuple(map(str, range(20)))), unit_halves=((0.0, 0.0),) * 4)
    passed, without = 0, 0
    for _ in range(2000):
        effects = generator.normal(0, 0.1, 20)
        jump, jumps = generator.normal(0, 0.03), generator.normal(0, 0.03 * math.sqrt(2), (4, 2))
        left_out = (effects.sum() - effects) / 19 + jump
        halves = []
        for pair in jumps:
            order = generator.permutation(20)
            halves.append((effects[order[:10]].mean() + pair[0], effects[order[10:]].mean() + pair[1]))
        ours = score(effects.mean() + jump, left_out.tolist(), units=zero.units)
        passed += judge(replace(ours, unit_halves=tuple(halves)), zero).passed
        without += judge(ours, replace(zero, unit_halves=())).passed
    assert passed / 2000 <= 0.07
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

"""Walkthrough: what an interval means, step by step, with the numbers of a verdict of this run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zsgate.report.record.verdict import Outcome, VerdictRecord
from zsgate.report.words import number, signed, units


def chosen(verdicts: Sequence[VerdictRecord]) -> VerdictRecord | None:
    """Return the verdict to explain: with an interval; rather by donors, with seeds, and decided."""
    whole = [v for v in verdicts if v.paired and v.interval and v.se and v.difference is not None]
    return max(
        whole,
        key=lambda v: (
            not v.these_donors_only,
            bool(v.variance.seeds),
            v.variance.halves is not None,
            v.outcome is not Outcome.INCONCLUSIVE,
        ),
        default=None,
    )


def steps(verdict: VerdictRecord) -> list[tuple[str, str]]:
    """Return the (term, explanation) pairs that lead from two scores to an outcome."""
    told = [("Difference", _difference(verdict)), ("Unit", _unit(verdict))]
    if not verdict.these_donors_only and verdict.balanced is not None and verdict.n_effective is not None:
        told.append(("Weights", _weights(verdict, verdict.balanced, verdict.n_effective)))
    if verdict.variance.halves is not None:
        told.append(("Halves", _halves(verdict)))
    if verdict.variance.seeds is not None:
        told.append(("Chance", _seeds(verdict)))
    if verdict.interval and verdict.se:
        told.append(("Interval", _interval(verdict, *verdict.interval, verdict.se)))
        told.append(("Outcome", _outcome(verdict, *verdict.interval)))
    if verdict.detectable is not None:
        told.append(("Power", _power(verdict.detectable)))
    return told


def _difference(v: VerdictRecord) -> str:
    return (
        f"On the same cells, each weighing the same, {v.model} scores {number(v.ours)} and "
        f"{v.baseline} {number(v.theirs)} by {v.metric}. The difference is "
        f"{signed(v.difference)}, oriented so that a positive one favours {v.model}."
    )


def _unit(v: VerdictRecord) -> str:
    claim = "The claim is about new donors, so the unit is the donor, not the cell."
    noun = "donor"
    if v.these_donors_only:
        claim = "Too few donors to speak for new ones: the claim holds for these donors only (marks not filled)."
        noun = "group of cells"
    return (
        f"{claim} Each of the {units(v)} is left out in turn and both scores are computed anew without it, "
        f"exactly: the cells of a {noun} that is left out leave every other cell's distances too. The "
        f"G = {v.n_units} differences give the jackknife variance (G − 1)/G · Σ (difference without "
        "one − the difference)²."
    )


def _weights(v: VerdictRecord, balanced: float, n_effective: float) -> str:
    return (
        f"Donors have unequal numbers of cells: the {units(v)} know as much as {n_effective:.1f} of one size, "
        "1/Σ share², and t has at most one degree of freedom less than that. If every donor weighed the same, the "
        f"difference would be {signed(balanced)}; where that "
        "differs much, a few donors decide."
    )


def _halves(v: VerdictRecord) -> str:
    halves = "balanced pairs of halves" + ("" if v.these_donors_only else " of the donors")
    noun = "group" if v.unit == "cells" else "donor"
    return (
        f"Without a {noun} clusters stay as they are, and a score that is no mean over {noun}s makes the jackknife's "
        f"variance too large. So everything is computed anew in up to twenty {halves}: the mean of (difference in one "
        "half − difference in the other)²/4 is the variance that counts. Where a few units could look alike by chance "
        "the jackknife's times 6 over their effective number counts if it is larger."
    )


def _seeds(v: VerdictRecord) -> str:
    ours, theirs = v.seeds.ours, v.seeds.theirs
    twins = " Against untrained twins s² is added once more: a model that learnt nothing is one of them, not the mean."
    return (
        f"A side that draws random numbers is the mean over its S seeds, here {ours} for {v.model} and "
        f"{theirs} for {v.baseline}. Each side adds its variance s²/S, none if it draws nothing."
        f"{twins if v.baseline == 'random_init' else ''} Few seeds know little of their spread, which lowers the "
        "degrees of freedom."
    )


def _interval(v: VerdictRecord, low: float, high: float, se: float) -> str:
    half, df = (high - low) / 2, v.df or (v.n_effective or v.n_units) - 1
    return (
        f"As square roots: {_parts(v)} → standard error {number(se)}. With Student's t for "
        f"{df:.3g} degrees of freedom, {half / se:.3f}, the {100 * v.level:g} % interval "
        f"is {signed(v.difference)} ± {number(half)}, from {signed(low)} to {signed(high)}."
    )


def _outcome(v: VerdictRecord, low: float, high: float) -> str:
    margin = "zero" if not v.margin else f"the margin of {number(v.margin)}"
    because = {
        Outcome.BEATS: f"The lower end, {signed(low)}, lies above {margin}",
        Outcome.LOSES: f"The upper end, {signed(high)}, lies below zero",
    }.get(v.outcome, f"The interval lies neither above {margin} nor below zero")
    return (
        f"{because}: {v.outcome}. A lower end above {margin} is beats, an upper end below zero is loses, "
        "anything else is inconclusive."
    )


def _power(detectable: float) -> str:
    return (
        f"With this standard error the test finds a true difference of {number(detectable)} with 80 % "
        "power: the 95 % and 80 % points of t, added up, times the standard error. A true difference much "
        "smaller than that would probably stay inconclusive."
    )


def _parts(v: VerdictRecord) -> str:
    """Return the square roots of the parts of the variance, by name."""
    noun = "groups" if v.these_donors_only else "donors"
    halves, jackknife = v.variance.halves, v.variance.jackknife
    known = ((f"halves of the {noun}", halves), (noun if halves is None else "jackknife", jackknife))
    text = ", ".join(f"{name} {number(math.sqrt(value))}" for name, value in known if value is not None)
    if halves is not None and v.variance.sample is not None:
        text += f" ({number(math.sqrt(v.variance.sample))} counts)"
    return text if v.variance.seeds is None else f"{text}, seeds {number(math.sqrt(v.variance.seeds))}"

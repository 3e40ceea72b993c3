"""The worked example: what an interval means, with the numbers of a verdict of this run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zsgate.report.record import Record
from zsgate.report.words import has_ends, number, signed, units


def chosen(verdicts: Sequence[Record]) -> Record | None:
    """Return the verdict to explain: with an interval; rather by donors, with seeds, and decided."""
    whole = [v for v in verdicts if v["paired"] and has_ends(v["ci"]) and v["se"] and v["difference"] is not None]
    return max(
        whole,
        key=lambda v: (
            v["unit"] == "donor",
            bool(v["variance"].get("seeds")),
            v["variance"].get("halves") is not None,
            v["outcome"] != "inconclusive",
        ),
        default=None,
    )


def steps(verdict: Record) -> list[tuple[str, str]]:
    """Return the (term, explanation) pairs that lead from two scores to an outcome."""
    return [
        ("Difference", _difference(verdict)),
        ("Unit", _unit(verdict)),
        *([("Weights", _weights(verdict))] if _is_sensitive(verdict) else []),
        *([("Clusters", _halves(verdict))] if verdict["variance"].get("halves") is not None else []),
        *([("Chance", _seeds(verdict))] if verdict["variance"].get("seeds") is not None else []),
        ("Interval", _interval(verdict)),
        ("Outcome", _outcome(verdict)),
        *([("Power", _power(verdict))] if verdict["detectable"] is not None else []),
    ]


def _difference(v: Record) -> str:
    return (
        f"On the same cells, each weighing the same, {v['model']} scores {number(v['ours'])} and "
        f"{v['baseline']} {number(v['theirs'])} by {v['metric']}. The difference is "
        f"{signed(v['difference'])}, oriented so that a positive one favours {v['model']}."
    )


def _unit(v: Record) -> str:
    claim = "The claim is about new donors, so the unit is the donor, not the cell."
    noun = "donor"
    if v["unit"] == "cells":
        claim = "Too few donors to speak for new ones: the claim holds for these donors only (hollow marks)."
        noun = "group of cells"
    return (
        f"{claim} Each of the {units(v)} is left out in turn and both scores are computed anew without it, "
        f"exactly: the cells of a {noun} that is left out leave every other cell's distances too. The "
        f"G = {v['n_units']} differences give the jackknife variance (G − 1)/G · Σ (difference without "
        "one − the difference)²."
    )


def _is_sensitive(v: Record) -> bool:
    return v["unit"] == "donor" and v["balanced"] is not None and v["n_effective"] is not None


def _weights(v: Record) -> str:
    return (
        f"Donors have unequal numbers of cells: the {units(v)} know as much as {v['n_effective']:.1f} of one size, "
        "1/Σ share², and t has at most one degree of freedom less than that. If every donor weighed the same, the "
        f"difference would be {signed(v['balanced'])}; where that "
        "differs much, a few donors decide."
    )


def _halves(v: Record) -> str:
    halves = "four random pairs of halves" + ("" if v["unit"] == "cells" else " of the donors")
    also = " and of the cells" if v["variance"].get("cells") is not None else ""
    return (
        f"Without a {'group' if v['unit'] == 'cells' else 'donor'} the clusters stay as they are, so the jackknife "
        f"does not see that clustering itself is unstable. In {halves}{also} the neighbour graph and the clusters are "
        "made anew: the mean of (difference in one half − difference in the other)²/4 is a variance too. The "
        "largest of these variances counts."
    )


def _seeds(v: Record) -> str:
    ours, theirs = v["seeds"].get("ours"), v["seeds"].get("theirs")
    twins = " Against untrained twins s² is added once more: a model that learnt nothing is one of them, not the mean."
    return (
        f"A side that draws random numbers is the mean over its S seeds, here {ours} for {v['model']} and "
        f"{theirs} for {v['baseline']}. Each side adds its variance s²/S, none if it draws nothing."
        f"{twins if v['baseline'] == 'random_init' else ''} Few seeds know little of their spread, which lowers the "
        "degrees of freedom."
    )


def _interval(v: Record) -> str:
    low, high = v["ci"]
    half, df = (high - low) / 2, v["df"] or _effective(v) - 1
    return (
        f"As square roots: {_parts(v)} → standard error {number(v['se'])}. With Student's t for "
        f"{df:.3g} degrees of freedom, {half / v['se']:.3f}, the {100 * v['level']:g} % interval "
        f"is {signed(v['difference'])} ± {number(half)}, from {signed(low)} to {signed(high)}."
    )


def _outcome(v: Record) -> str:
    low, high = v["ci"]
    margin = "zero" if not v["margin"] else f"the margin of {number(v['margin'])}"
    because = {
        "beats": f"The lower end, {signed(low)}, lies above {margin}",
        "loses": f"The upper end, {signed(high)}, lies below zero",
    }.get(v["outcome"], f"The interval lies neither above {margin} nor below zero")
    return (
        f"{because}: {v['outcome']}. A lower end above {margin} is beats, an upper end below zero is loses, "
        "anything else is inconclusive."
    )


def _power(v: Record) -> str:
    return (
        f"With this standard error the test finds a true difference of {number(v['detectable'])} with 80 % "
        "power: the 95 % and 80 % points of t, added up, times the standard error. A true difference much "
        "smaller than that would probably stay inconclusive."
    )


def _effective(v: Record) -> float:
    return float(v["n_effective"] or v["n_units"])


def _parts(v: Record) -> str:
    """Return the square roots of the parts of the variance, the one that counts by name."""
    whole = v["unit"] == "cells"
    names = {"jackknife": "groups" if whole else "donors", "halves": "halves of them", "cells": "halves of the cells"}
    known = {what: v["variance"][what] for what in names if v["variance"].get(what) is not None}
    text = ", ".join(f"{names[what]} {number(math.sqrt(value))}" for what, value in known.items())
    if len(known) > 1:
        text += f" (the largest, {number(math.sqrt(max(known.values())))}, counts)"
    seeds = v["variance"].get("seeds")
    return text if seeds is None else f"{text}, seeds {number(math.sqrt(seeds))}"

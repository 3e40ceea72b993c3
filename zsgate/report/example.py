"""The worked example: what an interval means, with the numbers of a verdict of this run."""

from __future__ import annotations

from collections.abc import Sequence

from zsgate.report.record import Record
from zsgate.report.words import has_ends, number, signed, units

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def chosen(verdicts: Sequence[Record]) -> Record | None:
    """Return the verdict to explain: with an interval; rather by donors, with seeds, and decided."""
    whole = [v for v in verdicts if has_ends(v["ci"]) and v["se"] and v["difference"] is not None]
    return max(
        whole,
        key=lambda v: (
            v["unit"] == "donor",
            bool(v["variance"].get("seeds")),
            v["outcome"] != "inconclusive",
        ),
        default=None,
    )


def steps(verdict: Record) -> list[tuple[str, str]]:
    """Return the (term, explanation) pairs that lead from two scores to an outcome."""
    return [
        ("Difference", _difference(verdict)),
        ("Unit", _unit(verdict)),
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
    jackknife = v["variance"].get("jackknife")
    value = "" if jackknife is None else f", here {_small(jackknife)}"
    return (
        f"{claim} Each of the {units(v)} is left out in turn and both scores are computed anew without it, "
        f"exactly: the cells of a {noun} that is left out leave every other cell's distances too. The "
        f"G = {v['n_units']} differences give the jackknife variance (G − 1)/G · Σ (difference without "
        f"one − their mean)²{value}."
    )


def _seeds(v: Record) -> str:
    ours, theirs = v["seeds"].get("ours"), v["seeds"].get("theirs")
    return (
        f"A side that draws random numbers is the mean over its S seeds, here {ours} for {v['model']} and "
        f"{theirs} for {v['baseline']}. Each side adds its variance s²/S, none if it draws nothing; here "
        f"{_small(v['variance']['seeds'])} together."
    )


def _interval(v: Record) -> str:
    low, high = v["ci"]
    half = (high - low) / 2
    return (
        f"The standard error, the square root of their sum, is {number(v['se'])}. With Student's t for "
        f"{v['n_units'] - 1} degrees of freedom, {half / v['se']:.3f}, the {100 * v['level']:g} % interval "
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


def _small(value: float) -> str:
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits} × 10{str(int(power)).translate(_RAISED)}" if value else "0"

"""Contradiction: how a stored record says more than its own figures allow, as no run writes it."""

from __future__ import annotations

import math

from zsgate.report.record import Outcome, VerdictRecord

CLOSE = 1e-9  # differences of scores, which lie near 1, are rounded by less


def contradiction(verdict: VerdictRecord) -> str:
    """Return which of a verdict's figures contradict each other, or an empty string."""
    ours, theirs, difference = verdict.ours, verdict.theirs, verdict.difference
    if ours is not None and theirs is not None and difference is not None:
        apart = abs(ours - theirs)
        if not math.isclose(abs(difference), apart, rel_tol=CLOSE, abs_tol=CLOSE):
            return f"a difference of {difference:g} between {ours:g} and {theirs:g}"
    if (interval := verdict.interval) is not None:
        low, high = interval
        if difference is None or not low - CLOSE <= difference <= high + CLOSE:
            return f"a difference of {difference} in an interval from {low:g} to {high:g}"
        if verdict.outcome is not (shown := _shown(verdict, low, high)) and not verdict.withdrawn:
            return f"{verdict.outcome}, and its interval from {low:g} to {high:g} says {shown}"
    if verdict.passed and verdict.withdrawn:
        return "passed, and that this does not count"
    return "" if not verdict.passed or _may_pass(verdict) else f"passed, and the outcome is {verdict.outcome}"


def _shown(verdict: VerdictRecord, low: float, high: float) -> Outcome:
    """Return what an interval says, as :mod:`zsgate.verdict.verdict` has it."""
    margin = 0.0 if verdict.policy == "noninferior" else verdict.margin
    return Outcome.BEATS if low > margin else Outcome.LOSES if high < 0 else Outcome.INCONCLUSIVE


def _may_pass(verdict: VerdictRecord) -> bool:
    """Return whether a verdict can pass under its policy; reasons beside the difference only take that back."""
    if verdict.policy == "point":
        return verdict.difference is not None and verdict.difference > verdict.margin
    if verdict.policy == "noninferior" and verdict.interval is not None:
        return verdict.interval[0] > -verdict.margin
    return verdict.outcome is Outcome.BEATS

"""Pairing: two scores of the same cells, subtracted part by part, and what forbids an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import MIN_DONORS
from zsgate.verdict.interval import Inference, Variance, degrees, infer, jackknife_variance, split_variance
from zsgate.verdict.score import Score

Floats = npt.NDArray[np.float64]
SAME = ("metric", "recipe", "cells", "units", "unit")
ROUNDING = 1e-9  # of two sums of as many terms in another order; no difference is meant by less


@dataclass(frozen=True, slots=True)
class Pair:
    """Differences of two scores, ours - theirs, oriented so that positive is better.

    Attributes
    ----------
    ours, theirs
        The scores.
    difference
        With everybody.
    balanced
        The same with every unit weighing the same; None where unknown.
    leave_outs
        Without each unit, shape (n_units,).
    unit_halves, cell_halves
        In the two halves of each split, shapes (n_splits, 2); no rows where nothing was split.
    exchangeable
        Whether ours, if it is worth nothing, is one more draw of theirs.
    """

    ours: Score
    theirs: Score
    difference: float
    balanced: float | None
    leave_outs: Floats
    unit_halves: Floats
    cell_halves: Floats
    exchangeable: bool = False

    @classmethod
    def of(cls, ours: Score, theirs: Score, *, exchangeable: bool = False) -> Pair:
        """Return the differences.

        Raises
        ------
        ValueError
            If the scores are of different metrics, recipes, cells, units or splits.
        """
        _refuse_strangers(ours, theirs)
        sign = 1.0 if ours.higher_is_better else -1.0
        known = ours.balanced is not None and theirs.balanced is not None

        def halves(what: str) -> Floats:
            first, second = (np.array(getattr(score, what), dtype=np.float64) for score in (ours, theirs))
            return (sign * (first - second)).reshape(-1, 2)

        return cls(
            ours,
            theirs,
            unrounded(sign * (ours.value - theirs.value)),
            sign * (ours.balanced - theirs.balanced) if known else None,  # type: ignore[operator]
            sign * (np.array(ours.leave_outs) - np.array(theirs.leave_outs)),
            halves("unit_halves"),
            halves("cell_halves"),
            exchangeable,
        )

    @property
    def objection(self) -> str:
        """Why no interval can be given, or an empty string."""
        found = (self.leave_outs, self.unit_halves, self.cell_halves)
        return too_little(self.ours, self.difference) or undefined(self.ours, *found)

    def infer(self, margin: float) -> Inference:
        """Return what can be inferred; only where there is no objection."""
        n_theirs = len(self.theirs.draws)
        ours, theirs = self.ours.seed_variance, self.theirs.seed_variance * (1 + n_theirs * self.exchangeable)
        variance = Variance(
            jackknife=jackknife_variance(self.difference, self.leave_outs),
            halves=split_variance(self.unit_halves),
            cells=split_variance(self.cell_halves),
            seeds=ours + theirs,
        )
        units = max(1.0, self.ours.known_by - 1)
        seeds = ((ours, len(self.ours.draws) - 1), (theirs, n_theirs - 1))
        df = min(units, degrees([(variance.total - variance.seeds, units), *seeds]))
        return infer(self.difference, variance, df=df, margin=margin)


def unrounded(difference: float) -> float:
    """Return the difference, or 0 where it is no more than the rounding of sums."""
    return 0.0 if abs(difference) < ROUNDING else difference


def undefined(score: Score, leave_outs: Floats, unit_halves: Floats, cell_halves: Floats) -> str:
    """Return which leave-out has no value, or that no half has one, or an empty string."""
    lost = [name for name, value in zip(score.units, leave_outs.tolist(), strict=True) if not math.isfinite(value)]
    if lost:
        shown = ", ".join(lost[:5]) + (", ..." if len(lost) > 5 else "")
        return f"{score.metric} cannot be computed without {score.unit} {shown}"
    dealt = "cells" if score.unit == "cells" else "donors"
    for what, halves in ((dealt, unit_halves), ("cells", cell_halves)):
        if len(halves) and split_variance(halves) is None:
            return f"{score.metric} cannot be computed in any random half of the {what}"
    return ""


def can_pair(ours: Score, theirs: Score) -> bool:
    """Return whether two scores can be subtracted part by part."""
    try:
        _refuse_strangers(ours, theirs)
    except ValueError:
        return False
    return True


def _refuse_strangers(ours: Score, theirs: Score) -> None:
    for what in SAME:
        if getattr(ours, what) != getattr(theirs, what):
            msg = f"scores of different {what} cannot be compared: {getattr(ours, what)} and {getattr(theirs, what)}"
            raise ValueError(msg)
    for what in ("unit_halves", "cell_halves"):
        if len(getattr(ours, what)) != len(getattr(theirs, what)):
            msg = f"scores of different {what.replace('_', ' ')} cannot be compared"
            raise ValueError(msg)


def too_little(score: Score, difference: float) -> str:
    """Return why so few units say nothing of their spread, or an empty string."""
    if not math.isfinite(difference):
        return f"{score.metric} is not defined on these cells"
    if not score.units:
        return "no donors are known, so nothing can be said about new ones (name their column, or scope = 'cells')"
    if len(score.units) >= MIN_DONORS:
        return ""
    if score.unit == "cells":
        return f"{len(score.units)} groups of cells are too few to know their spread ({MIN_DONORS} are needed)"
    return (
        f"{len(score.units)} donors cannot speak for new ones ({MIN_DONORS} are needed; scope = 'cells' "
        "speaks for these donors only)"
    )

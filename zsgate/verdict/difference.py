"""Difference: two scores, one subtracted from the other, and what forbids an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zsgate.verdict.interval import MIN_DONORS, Inference, Resamples, infer, split_variance
from zsgate.verdict.score import Score

SAME_QUESTION = ("metric", "recipe", "unit")
SAME_CELLS = ("metric", "recipe", "cells", "units", "unit")
ROUNDING = 1e-9  # two sums of the same terms in another order differ by less


@dataclass(frozen=True, slots=True)
class Difference:
    """Our score minus theirs, oriented so that positive is better.

    Attributes
    ----------
    ours, theirs
        The scores.
    resamples
        The same difference on parts of the cells, where both scores are of the same cells; else those of our score and
        of theirs.
    exchangeable
        Whether ours, if it is worth nothing, is one more draw of theirs.
    """

    ours: Score
    theirs: Score
    resamples: tuple[Resamples, ...]
    exchangeable: bool = False

    @classmethod
    def paired(cls, ours: Score, theirs: Score, *, exchangeable: bool = False) -> Difference:
        """Return the difference of two scores of the same cells, subtracted part by part.

        Raises
        ------
        ValueError
            If the scores are of different metrics, recipes, cells, units or splits.
        """
        _refuse_different(ours, theirs, SAME_CELLS)
        sign = _sign(ours)
        first, second = _resamples(ours), _resamples(theirs)
        both = Resamples(
            value=zero_if_rounding(sign * (ours.value - theirs.value)),
            leave_outs=sign * (first.leave_outs - second.leave_outs),
            unit_halves=sign * (first.unit_halves - second.unit_halves),
            n_effective=first.n_effective,
        )
        return cls(ours, theirs, (both,), exchangeable)

    @classmethod
    def unpaired(cls, ours: Score, theirs: Score) -> Difference:
        """Return the difference of two scores of the same population on other cells, whose variances add.

        Weaker than a paired one: what makes cells easy or hard for both no longer cancels, and part of the difference
        may be that of the cells.

        Raises
        ------
        ValueError
            If the scores are of different metrics, recipes or kinds of units.
        """
        _refuse_different(ours, theirs, SAME_QUESTION)
        return cls(ours, theirs, (_resamples(ours), _resamples(theirs)))

    @property
    def value(self) -> float:
        """The difference on all cells."""
        return zero_if_rounding(_sign(self.ours) * (self.ours.value - self.theirs.value))

    @property
    def balanced(self) -> float | None:
        """The difference if every unit weighed the same; None where unknown."""
        if self.ours.balanced is None or self.theirs.balanced is None:
            return None
        return _sign(self.ours) * (self.ours.balanced - self.theirs.balanced)

    @property
    def objection(self) -> str:
        """Why no interval can be given, or an empty string."""
        if bool(self.ours.unit_halves) != bool(self.theirs.unit_halves):
            return "one of the two scores was recorded without halves, so its variance is not known"
        sides = zip((self.ours, self.theirs), self.resamples, strict=False)  # a paired difference has the units of ours
        return next(filter(None, (_too_few(s, self.value) or _undefined(s, parts) for s, parts in sides)), "")

    def infer(self, margin: float) -> Inference:
        """Return what can be inferred, with ``margin`` the difference that counts as better.

        Call it only where there is no objection.
        """
        draws = self.ours.draws, self.theirs.draws
        return infer(self.value, self.resamples, draws, exchangeable=self.exchangeable, margin=margin)


def can_pair(ours: Score, theirs: Score) -> bool:
    """Return whether two scores are of the same cells, so that they can be subtracted part by part."""
    try:
        _refuse_different(ours, theirs, SAME_CELLS)
    except ValueError:
        return False
    return True


def zero_if_rounding(difference: float) -> float:
    """Return the difference, or 0 where it is so small that only the rounding of sums made it."""
    return 0.0 if abs(difference) < ROUNDING else difference


def _sign(score: Score) -> float:
    return 1.0 if score.higher_is_better else -1.0


def _resamples(score: Score) -> Resamples:
    return Resamples(
        value=score.value,
        leave_outs=np.array(score.leave_outs, dtype=np.float64),
        unit_halves=np.array(score.unit_halves, dtype=np.float64).reshape(-1, 2),
        n_effective=score.n_effective or len(score.units),
    )


def _refuse_different(ours: Score, theirs: Score, same: tuple[str, ...]) -> None:
    """Raise ValueError if the scores differ in one of the fields ``same``, or, on the same cells, in their splits."""
    for what in same:
        if getattr(ours, what) != getattr(theirs, what):
            msg = f"scores of different {what} cannot be compared: {getattr(ours, what)} and {getattr(theirs, what)}"
            raise ValueError(msg)
    if same is SAME_CELLS and len(ours.unit_halves) != len(theirs.unit_halves):
        msg = "scores of different halves cannot be compared"
        raise ValueError(msg)


def _too_few(score: Score, difference: float) -> str:
    """Return why so few units say nothing of how far others would differ, or an empty string."""
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


def _undefined(score: Score, parts: Resamples) -> str:
    """Return which leave-out has no value, or that no half has one, or an empty string."""
    pairs = zip(score.units, parts.leave_outs.tolist(), strict=True)
    lost = [name for name, value in pairs if not math.isfinite(value)]
    if lost:
        shown = ", ".join(lost[:5]) + (", ..." if len(lost) > 5 else "")
        return f"{score.metric} cannot be computed without {score.unit} {shown}"
    if len(parts.unit_halves) and split_variance(parts.unit_halves) is None:
        return f"{score.metric} cannot be computed in any half of the {'cells' if score.unit == 'cells' else 'donors'}"
    return ""

"""Unpaired: two scores of the same population on other cells, whose variances add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsgate.verdict.difference import too_little, undefined, unrounded
from zsgate.verdict.interval import Inference, Variance, degrees, infer, jackknife_variance, split_variance
from zsgate.verdict.score import Score

Floats = npt.NDArray[np.float64]
SAME = ("metric", "recipe", "unit")


@dataclass(frozen=True, slots=True)
class Unpaired:
    """The difference of two scores, each with what its own units, halves and seeds say of it.

    Weaker than a :class:`Pair`: what makes cells easy or hard for both no longer cancels, and part of the difference
    may be that of the cells. Degrees of freedom are those of Welch (1947).

    Attributes
    ----------
    ours, theirs
        The scores.
    """

    ours: Score
    theirs: Score

    @classmethod
    def of(cls, ours: Score, theirs: Score) -> Unpaired:
        """Return the two.

        Raises
        ------
        ValueError
            If the scores are of different metrics, recipes or kinds of units.
        """
        for what in SAME:
            if getattr(ours, what) != getattr(theirs, what):
                given = f"{getattr(ours, what)} and {getattr(theirs, what)}"
                msg = f"scores of different {what} cannot be compared: {given}"
                raise ValueError(msg)
        return cls(ours, theirs)

    @property
    def difference(self) -> float:
        """Ours minus theirs, oriented so that positive is better."""
        sign = 1.0 if self.ours.higher_is_better else -1.0
        return unrounded(sign * (self.ours.value - self.theirs.value))

    @property
    def balanced(self) -> float | None:
        """The same with every unit weighing the same; None where unknown."""
        if self.ours.balanced is None or self.theirs.balanced is None:
            return None
        sign = 1.0 if self.ours.higher_is_better else -1.0
        return sign * (self.ours.balanced - self.theirs.balanced)

    @property
    def objection(self) -> str:
        """Why no interval can be given, or an empty string."""
        if bool(self.ours.unit_halves) != bool(self.theirs.unit_halves):
            return "one of the two scores was recorded without random halves, so its variance is not known"
        both = (self.ours, self.theirs)
        return next(filter(None, (too_little(s, self.difference) or undefined(s, *_arrays(s)) for s in both)), "")

    def infer(self, margin: float) -> Inference:
        """Return what can be inferred; only where there is no objection."""
        ours, theirs = _alone(self.ours), _alone(self.theirs)
        variance = Variance(
            jackknife=ours.jackknife, halves=ours.halves, cells=ours.cells, seeds=ours.seeds, theirs=theirs.total
        )
        sides = ((ours, self.ours), (theirs, self.theirs))
        parts = [(alone.total - alone.seeds, score.known_by - 1) for alone, score in sides]
        parts += [(alone.seeds, len(score.draws) - 1) for alone, score in sides]
        return infer(self.difference, variance, df=degrees(parts), margin=margin)


def _alone(score: Score) -> Variance:
    leave_outs, unit_halves, cell_halves = _arrays(score)
    return Variance(
        jackknife=jackknife_variance(score.value, leave_outs),
        halves=split_variance(unit_halves),
        cells=split_variance(cell_halves),
        seeds=score.seed_variance,
    )


def _arrays(score: Score) -> tuple[Floats, Floats, Floats]:
    halves = (np.array(each, dtype=np.float64).reshape(-1, 2) for each in (score.unit_halves, score.cell_halves))
    unit_halves, cell_halves = halves
    return np.array(score.leave_outs, dtype=np.float64), unit_halves, cell_halves

"""Inference: how sure a paired difference is, from leave-one-out values, random halves and the spread over seeds.

With d the difference and d(-g) the same without unit g of G, the jackknife variance
V_J = (G-1)/G * sum((d(-g) - d)**2) (Efron and Stein 1981) is that of a new sample of units; taken about d and not about
the mean of d(-g) it holds the bias too, and a partition that one large unit keeps up. It takes partitions as fixed. A
clustering metric adds V_H, the mean of (d_half1 - d_half2)**2 / 4 over random splits of the units in complementary
halves, each half clustered anew, and V_C, the same over splits of the cells: a half has twice the variance of the
whole and the two are independent. (A bootstrap over cells would put copies of a cell at distance 0 among its own
neighbours, and the graph of a sample with copies is no sample's graph.) The three estimate variances that hold each
other in part, so the largest counts. Seeds add V_S = s**2/S of each side that draws; against untrained twins s**2 more,
because a model that learnt nothing is one more of them and not their mean.

The interval is d +- t(0.95, df) * sqrt(max(V_J, V_C, V_H) + V_S), two-sided 90 %, so that a lower end above 0 is a
one-sided test at 5 %. Units of unequal size know less of their own variance: df is one less than their effective
number 1 / sum(share**2), which is G where all have as many cells; less where few seeds, which know little of theirs,
make up much of the variance (Welch 1947, Satterthwaite 1946). ``benchmarks.calibration`` shows what the interval
keeps and why these corrections are there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.9
POWER = 0.8
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """The parts of the variance of a difference.

    Attributes
    ----------
    jackknife
        Leave-one-unit-out variance of the paired difference.
    seeds
        Variance of the two means over seeds.
    halves
        Variance by random halves of the units; None where nothing is computed anew in halves.
    cells
        Variance by random halves of the cells; None likewise.
    theirs
        Where scores are not paired, the variance of the other one by itself, the rest being ours; None where they are.
    """

    jackknife: float
    seeds: float
    halves: float | None = None
    cells: float | None = None
    theirs: float | None = None

    @property
    def total(self) -> float:
        """Variance of the difference."""
        return max(self.jackknife, self.halves or 0.0, self.cells or 0.0) + self.seeds + (self.theirs or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What is known of a difference beside its value; None where nothing can be said.

    Attributes
    ----------
    variance
        Parts of its variance.
    interval
        90 % two-sided interval.
    p
        One-sided p-value of "not better by more than the margin".
    detectable
        Difference that a test with this variance finds with 80 % power, (t(0.95) + t(0.8)) * SE.
    df
        Degrees of freedom of t.
    """

    variance: Variance | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    detectable: float | None = None
    df: float | None = None


def jackknife_variance(difference: float, leave_outs: Floats) -> float:
    """Return V_J of the differences with every unit and without each, shape (n_units,), finite, at least two."""
    n = len(leave_outs)
    return float((n - 1) / n * np.sum((leave_outs - difference) ** 2))


def split_variance(halves: Floats) -> float | None:
    """Return the mean of (d_half1 - d_half2)**2 / 4 over splits, shape (n_splits, 2).

    A split with a NaN is left out; None if none is left.
    """
    spread = (halves[:, 0] - halves[:, 1]) ** 2 / 4
    known = spread[np.isfinite(spread)]
    return float(known.mean()) if len(known) else None


def degrees(parts: Sequence[tuple[float, float]]) -> float:
    """Return the degrees of freedom of a sum of independent variances (Welch 1947; Satterthwaite 1946).

    Parameters
    ----------
    parts
        Each variance and its own degrees of freedom; at least one.
    """
    spread = sum(variance**2 / max(1.0, df) for variance, df in parts)
    total = sum(variance for variance, _ in parts)
    return max(1.0, total**2 / spread if spread > 0 else min(df for _, df in parts))


def infer(difference: float, variance: Variance, *, df: float, margin: float) -> Inference:
    """Return what the variance says of a difference.

    Parameters
    ----------
    difference
        With every unit.
    variance
        Its parts.
    df
        Degrees of freedom of t.
    margin
        Difference that counts as better.
    """
    from scipy.special import stdtr, stdtrit

    se = math.sqrt(variance.total)
    quantile = float(stdtrit(df, (1 + LEVEL) / 2))
    excess = difference - margin
    return Inference(
        variance=variance,
        interval=(difference - quantile * se, difference + quantile * se),
        p=float(stdtr(df, -excess / se)) if se > 0 else float(excess <= 0),
        detectable=(quantile + float(stdtrit(df, POWER))) * se,
        df=df,
    )

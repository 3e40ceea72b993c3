"""Interval: how sure a difference of two scores is, from leave-one-out values, random halves and seeds.

All of the formula is here. With d the difference and d(-g) the same without unit g of G, the jackknife variance
V_J = (G-1)/G * sum((d(-g) - d)**2) (Efron and Stein 1981) is that of a new sample of units. It is taken about d and not
about the mean of d(-g), so that it also holds the bias, and what changes when one large unit leaves. Where a score is
no mean over units it is too large, up to two or three times; and partitions are kept in a leave-out. The halves know
both: V_H is the mean of (d_half1 - d_half2)**2 / 4 over balanced splits of the units into complementary halves, in each
of which everything is computed anew. A half has twice the variance of the whole, and the two halves are independent. (A
bootstrap over cells would put copies of a cell at distance 0 among its own neighbours, and no real sample has such a
graph.) V_H counts, but no less than V_J * 6 / G_eff, G_eff = 1 / sum(share**2) being the effective number of units,
because few donors have few halves, which can be alike by chance; V_J alone where nothing is split. Seeds add V_S =
s**2/S of each side that draws random numbers; against untrained twins s**2 more, because a model that learnt nothing is
one more twin, and not the mean of them.

The interval is d +- t(0.95, df) * sqrt(V + V_S), V being that of the units, two-sided 90 %, so that a lower end above
0 is a one-sided test at 5 %. Units of unequal size know less of their own variance: df is one less than their effective
number, which is G where all have as many cells. It is lower where a few seeds, which know little of their own variance,
make up much of the whole (Welch 1947, Satterthwaite 1946). ``benchmarks.calibration`` measures how often the interval
is wrong, and shows why these corrections are there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

LEVEL = 0.9
POWER = 0.8
MIN_DONORS = 6  # fewer cannot speak for new donors
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resamples:
    """A number on all cells, and the same number on parts of them.

    It is the difference of two scores on the same cells, or one score alone.

    Attributes
    ----------
    value
        On all cells.
    leave_outs
        Without each unit, shape (n_units,).
    unit_halves
        In the two halves of each split of the units, shape (n_splits, 2); no rows where nothing was split.
    n_effective
        Number of equally large units that would know as much.
    """

    value: float
    leave_outs: Floats
    unit_halves: Floats
    n_effective: float

    @property
    def df(self) -> float:
        """Degrees of freedom of the variance between units."""
        return max(1.0, self.n_effective - 1)

    @property
    def variance(self) -> Variance:
        """Parts of the variance, that of seeds left out."""
        jackknife, halves = jackknife_variance(self.value, self.leave_outs), split_variance(self.unit_halves)
        least = jackknife * MIN_DONORS / self.n_effective
        return Variance(sample=jackknife if halves is None else max(halves, least), jackknife=jackknife, halves=halves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """The parts of the variance of a difference.

    Attributes
    ----------
    sample
        That of a new sample of units, by halves and jackknife.
    jackknife
        Leave-one-unit-out variance of the paired difference.
    seeds
        Variance of the two means over seeds.
    halves
        Variance by halves of the units; None where nothing is computed in halves.
    theirs
        Where scores are not paired, the variance of the other one by itself, the rest being ours; None where they are.
    """

    sample: float
    jackknife: float
    seeds: float = 0.0
    halves: float | None = None
    theirs: float | None = None

    @property
    def total(self) -> float:
        """Variance of the difference."""
        return self.sample + self.seeds + (self.theirs or 0.0)


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


def jackknife_variance(value: float, leave_outs: Floats) -> float:
    """Return V_J of a number with every unit, and without each, shape (n_units,), finite, at least two."""
    n = len(leave_outs)
    return float((n - 1) / n * np.sum((leave_outs - value) ** 2))


def split_variance(halves: Floats) -> float | None:
    """Return the mean of (d_half1 - d_half2)**2 / 4 over splits, shape (n_splits, 2).

    A split with a NaN is left out; None if none is left.
    """
    spread = (halves[:, 0] - halves[:, 1]) ** 2 / 4
    known = spread[np.isfinite(spread)]
    return float(known.mean()) if len(known) else None


def seed_variance(draws: Sequence[float]) -> float:
    """Return the variance of the mean over seeds, ``s**2 / S``; 0 for a score that draws nothing."""
    return float(np.var(draws, ddof=1) / len(draws)) if len(draws) > 1 else 0.0


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


def infer(
    difference: float,
    resamples: Sequence[Resamples],
    draws: tuple[Sequence[float], Sequence[float]],
    *,
    exchangeable: bool = False,
    margin: float = 0.0,
) -> Inference:
    """Return what can be said of a difference.

    Parameters
    ----------
    difference
        Ours minus theirs, on all cells.
    resamples
        Those of the difference, where both scores are of the same cells; else those of our score and of theirs, whose
        variances add.
    draws
        Our value and theirs under each seed; one entry where nothing is drawn.
    exchangeable
        Whether ours, if it is worth nothing, is one more draw of theirs.
    margin
        Difference that counts as better.
    """
    from scipy.special import stdtr, stdtrit

    ours, theirs = map(seed_variance, draws)
    if exchangeable:
        theirs *= 1 + len(draws[1])
    found = [each.variance for each in resamples]
    variance = replace(found[0], seeds=ours + theirs)
    if len(found) == 2:
        variance = replace(found[0], seeds=ours, theirs=found[1].sample + theirs)
    units = [(each.sample, of.df) for each, of in zip(found, resamples, strict=True)]
    df = degrees([*units, (ours, len(draws[0]) - 1), (theirs, len(draws[1]) - 1)])
    if len(resamples) == 1:
        df = min(df, resamples[0].df)
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

"""Inference: how sure a paired difference is, from its leave-one-out values and its spread over seeds.

With d the difference and d(-g) the same without unit g of G, the jackknife variance
V_J = (G-1)/G * sum((d(-g) - mean d(-g))**2) (Efron and Stein 1981) is that of a new sample of units; seeds add
V_S = s**2/S of each side that draws. The interval is d +- t(0.95, G-1) * sqrt(V_J + V_S), two-sided 90 %, so that a
lower end above 0 is a one-sided test at 5 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.9
POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """The parts of the variance of a difference.

    Attributes
    ----------
    jackknife
        Leave-one-unit-out variance of the paired difference.
    seeds
        Variance of the two means over seeds.
    """

    jackknife: float
    seeds: float

    @property
    def total(self) -> float:
        """Variance of the difference."""
        return self.jackknife + self.seeds


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
    """

    variance: Variance | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    detectable: float | None = None


def infer(difference: float, leave_outs: npt.NDArray[np.float64], *, seeds: float, margin: float) -> Inference:
    """Return what the leave-outs say of a difference.

    Parameters
    ----------
    difference
        With every unit.
    leave_outs
        Without each unit, finite, shape (n_units,); at least two.
    seeds
        Variance that the seeds of both sides add.
    margin
        Difference that counts as better.
    """
    from scipy.special import stdtr, stdtrit

    n = len(leave_outs)
    jackknife = float((n - 1) / n * np.sum((leave_outs - leave_outs.mean()) ** 2))
    variance = Variance(jackknife=jackknife, seeds=seeds)
    se = math.sqrt(variance.total)
    quantile = float(stdtrit(n - 1, (1 + LEVEL) / 2))
    excess = difference - margin
    return Inference(
        variance=variance,
        interval=(difference - quantile * se, difference + quantile * se),
        p=float(stdtr(n - 1, -excess / se)) if se > 0 else float(excess <= 0),
        detectable=(quantile + float(stdtrit(n - 1, POWER))) * se,
    )

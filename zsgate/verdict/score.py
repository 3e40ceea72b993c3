"""Score: a value, the same without each donor and in random halves of the cells, and under each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np


@dataclass(frozen=True, slots=True)
class Score:
    """What one embedding earned by one metric on one set of cells; plain builtins only.

    Attributes
    ----------
    metric
        Name of the metric.
    value
        Mean of ``draws``; NaN where the metric is not defined.
    draws
        The value under each seed; one entry when nothing was drawn.
    leave_outs
        The value (mean over seeds) without each unit, in the order of ``units``; NaN where it cannot be
        computed without that unit. Empty when the units are unknown.
    units
        Names of the units left out: donors, or groups of cells.
    unit
        What a unit is: ``"donor"`` or ``"cells"``.
    cells
        Digest of the cells, labels, batches and units that were scored; only scores of equal digests are
        comparable.
    recipe
        Identity of the settings (resolutions, neighbours and others) that shaped the value.
    higher_is_better
        Orientation of the metric.
    unit_halves
        The value in the two halves of balanced splits of the units, everything computed anew in each half; NaN where a
        half cannot be scored. Empty where the units are unknown, and for metrics on request that cluster nothing.
    balanced
        The value (mean over seeds) with every unit weighing the same; None where unknown.
    n_effective
        Number of equally large units that would know as much, 1 / sum(share of the cells ** 2); None likewise.
    by_type
        What the metric says of each cell type alone (mean over seeds), types in the order of their names; None where it
        says nothing of one. Empty for metrics that do not tell types apart. It decides nothing.
    confusion
        Number of cells of each type, in the order of their names, in each cluster of the partition that was scored
        first; empty for metrics that do not cluster. It decides nothing.
    """

    metric: str
    value: float
    draws: tuple[float, ...]
    leave_outs: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    unit: str = "donor"
    cells: str = ""
    recipe: str = ""
    higher_is_better: bool = True
    unit_halves: tuple[tuple[float, float], ...] = ()
    balanced: float | None = None
    n_effective: float | None = None
    by_type: tuple[float | None, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of_draws(cls, metric: str, draws: Sequence[float], leave_outs: Sequence[np.ndarray], **rest: Any) -> Self:
        """Return the score of several draws: the mean value and the mean leave-outs.

        Parameters
        ----------
        metric
            Name of the metric.
        draws
            The value of each draw.
        leave_outs
            For each draw, an array of shape (n_units,).
        **rest
            The remaining fields.
        """
        without = np.mean(np.stack(leave_outs), axis=0)
        return cls(
            metric=metric,
            value=float(np.mean(draws)),
            draws=tuple(float(value) for value in draws),
            leave_outs=tuple(without.tolist()),
            **rest,
        )

"""Groups: cells that stay together when a baseline is fitted without them and when a unit is left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.metrics.cells import Codes, Floats


@dataclass(frozen=True)
class Groups:
    """A partition of a dataset's cells.

    Attributes
    ----------
    codes
        Group 0, 1, ... of each cell, intp (n_cells,).
    size
        Number of groups.
    kind
        What a group is, in words: ``"donor"``, ``"batch"`` or ``"group of cells"``.
    units
        Names of the units a verdict leaves out; the groups are these where there are two or more.
    """

    codes: Codes
    size: int
    kind: str
    units: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> Groups:
        """Return the dataset's units; with fewer than two of them its batches, else 20 groups of cells."""
        units, unit = dataset.units
        names = () if units is None else tuple(np.unique(units).tolist())
        split, kind = units, "donor" if unit == "donor" else "group of cells"
        if len(names) < 2:
            split, kind = dataset.batches, "batch"
        if split is None or len(np.unique(split)) < 2:
            split, kind = replace(dataset, scope="cells").units[0], "group of cells"
        assert split is not None
        found, codes = np.unique(split, return_inverse=True)
        return cls(codes.astype(np.intp), len(found), kind, names)

    def sums(self, values: npt.NDArray[np.floating]) -> Floats:
        """Return the sum over each group's cells; ``values`` are (n_cells,) or (n_cells, n), NaN counts as 0."""
        known = np.nan_to_num(values, nan=0.0).astype(np.float64)
        total = np.zeros((self.size, *known.shape[1:]))
        np.add.at(total, self.codes, known)
        return total

    def columns(self, sums: Floats, weights: Floats) -> list[float]:
        """Return a weighted mean over everybody, without each unit, and with all units weighing the same.

        Parameters
        ----------
        sums
            Row 0: sums of each group, (1 + size, size). Row 1 + u: the same where a fit went without group u. One
            row (size,) where nothing is fitted.
        weights
            What a group counts for, (size,).
        """
        rows = np.broadcast_to(sums, (1 + self.size, self.size))
        left = 1.0 - np.eye(self.size)
        with np.errstate(invalid="ignore", divide="ignore"):
            everybody = rows[0].sum() / weights.sum()
            without = (rows[1:] * left).sum(axis=1) / (left @ weights)
            alike = np.nansum(rows[0] / weights) / (weights > 0).sum()
        if len(self.units) != self.size:
            return [float(everybody), *[float("nan")] * (len(self.units) + 1)]
        return [float(everybody), *without.tolist(), float(alike)]

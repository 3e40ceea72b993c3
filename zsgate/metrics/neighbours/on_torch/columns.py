"""Columns: the cells of an embedding on a device, laid out so that sums and minima of several are taken at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zsgate.metrics.neighbours.block import Positions
from zsgate.system import arrays

MOST_CELLS = 32  # of a run
STRETCH = 64  # runs of which all distances are computed anew where many would have to be
MOST_EXPONENT = 120  # of a scale, which float32 must hold
SAMPLE = 4096  # cells that a typical distance is taken of


@dataclass(frozen=True, slots=True)
class Columns:
    """The cells in runs of equal length, each of cells of one group, the last run of a group filled up with nobody.

    Cell j of run r is in column ``j * n_runs + r``, so that what is taken of all runs at once lies side by side.

    Attributes
    ----------
    rows
        float32 (n_columns, n_dimensions), 0 where nobody is.
    cells
        The cell in each column, int64 (n_columns,); 0 where nobody is.
    place
        The column of each cell, int64 (n_cells,).
    edges
        The first run of each group and the end of the last, int64 (n_groups + 1,).
    nobody
        Whether no cell is there, bool (n_columns,).
    n_runs
        Number of runs, a multiple of ``STRETCH``.
    scale
        Power of two by which a typical cell is about 1 from the centre.
    """

    rows: Tensor
    cells: Tensor
    place: Tensor
    edges: Tensor
    nobody: Tensor
    n_runs: int
    scale: float

    @classmethod
    def of(cls, rows: npt.NDArray[np.float32], groups: Positions, device: torch.device) -> Columns:
        """Return the cells of an embedding, shape (n_cells, n_dimensions), on a device."""
        n_cells, sizes = len(rows), np.diff([*groups.tolist(), len(rows)])
        length = int(2 ** np.clip(np.floor(np.log2(n_cells / (4 * len(groups)))), 1, np.log2(MOST_CELLS)))
        edges = np.concatenate([[0], np.cumsum(-(-sizes // length))])
        n_runs = -(-int(edges[-1]) // STRETCH) * STRETCH
        within = np.arange(n_cells) - np.repeat(groups, sizes)
        place = within % length * n_runs + np.repeat(edges[:-1], sizes) + within // length
        nobody, cells = np.ones(length * n_runs, dtype=bool), np.zeros(length * n_runs, dtype=np.int64)
        nobody[place], cells[place] = False, np.arange(n_cells)
        there = torch.zeros((length * n_runs, rows.shape[1]), device=device)
        for part in arrays.stretches(rows):
            some = torch.from_numpy(np.array(rows[part], np.float32))
            there[torch.from_numpy(place[part]).to(device)] = some.to(device)
        tensors = [torch.from_numpy(each).to(device) for each in (cells, place, edges, nobody)]
        return cls(there, tensors[0], tensors[1], tensors[2], tensors[3], n_runs, scale_of(rows))

    def by_run(self, columns: Tensor) -> Tensor:
        """Return something of all columns, (..., n_columns), by cell of a run and run, (..., length, n_runs)."""
        return columns.view(*columns.shape[:-1], -1, self.n_runs)

    def of_runs(self, runs: Tensor) -> Tensor:
        """Return the columns of runs (...), shape (..., length)."""
        return runs[..., None] + torch.arange(0, len(self.cells), self.n_runs, device=runs.device)


def scale_of(rows: npt.NDArray[np.float32]) -> float:
    """Return the power of two that brings a typical cell to a distance of about 1 from the median."""
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.intp)].astype(np.float64)
    away = np.linalg.norm(some - np.median(some, axis=0), axis=1)
    typical = float(np.median(away)) or float(away.max())
    return float(2.0 ** -np.clip(np.round(np.log2(typical)), -MOST_EXPONENT, MOST_EXPONENT)) if typical > 0 else 1.0

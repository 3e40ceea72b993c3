"""Search: the nearest cells by float64 products on a device, for those who wait for a CPU's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zsgate.metrics.neighbours.block import Positions
from zsgate.metrics.neighbours.float64 import Factors
from zsgate.system import arrays

Mask = npt.NDArray[np.bool_]
MOST_ROWS = 4096
CPU_BYTES = 256 * 2**20  # of squares held at a time on a CPU
GPU_SHARE = 1 / 8  # of the free memory of a GPU, for the same: what looks for the least needs as much again
MOST_OF_MEMORY = 0.6  # of what is free, for the rows


class Search:
    """The cells of an embedding on a device, less the centre of all.

    Parameters
    ----------
    factors
        Those of the embedding, for its rows and its centre.
    foreign
        Unit of each cell, to find neighbours of other units only; None finds any other cell.
    device
        Where to compute.
    """

    def __init__(self, factors: Factors, foreign: Positions | None, device: torch.device) -> None:
        rows = factors.rows
        self.device = device
        self.rows = torch.empty(rows.shape, dtype=torch.float64, device=device)
        centre = self._there(factors.centre)
        for part in arrays.stretches(rows):
            self.rows[part] = self._there(rows[part].astype(np.float64)) - centre
        self.norms = torch.linalg.vector_norm(self.rows, dim=1).square_()
        self.foreign = None if foreign is None else self._there(foreign)
        room = CPU_BYTES if device.type == "cpu" else int(GPU_SHARE * torch.cuda.mem_get_info(device)[0])
        self.height = max(1, min(MOST_ROWS, room // (8 * len(rows))))

    def nearest(self, cells: Positions, remaining: Mask, n_nearest: int) -> tuple[Positions, npt.NDArray[np.float64]]:
        """Return the nearest remaining cells of some, in no particular order, and their squared distances.

        Parameters
        ----------
        cells
            Positions of those whose neighbours are searched, shape (n,).
        remaining
            Who may be a neighbour, shape (n_cells,).
        n_nearest
            Neighbours of each; the squares of those that there are not are infinite.
        """
        found = np.empty((len(cells), n_nearest), dtype=np.intp)
        squares = np.empty(found.shape)
        gone, first, height = self._there(~remaining), 0, self.height
        while first < len(cells):
            part = slice(first, first + height)
            try:
                best = self._squares(self._there(cells[part]), gone).topk(n_nearest, dim=1, largest=False, sorted=False)
            except torch.OutOfMemoryError:  # somebody else has taken memory since
                if height == 1:
                    raise
                height = max(1, height // 2)
                continue
            found[part], squares[part] = best.indices.cpu().numpy(), best.values.cpu().numpy()
            first += height
        return found, squares

    def _squares(self, own: Tensor, gone: Tensor) -> Tensor:
        """Return squared distances (n, n_cells), infinite to oneself and to those that do not count."""
        squares = torch.addmm(self.norms, self.rows[own], self.rows.T, alpha=-2)
        squares += self.norms[own, None]
        squares.masked_fill_(gone, math.inf)
        squares[torch.arange(len(own), device=self.device), own] = math.inf
        if self.foreign is not None:
            squares.masked_fill_(self.foreign[own, None] == self.foreign, math.inf)
        return squares

    def _there(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def fits(rows: npt.NDArray[Any], device: torch.device) -> bool:
    """Return whether an embedding in float64 fits in the memory of a device."""
    return device.type != "cuda" or 8 * rows.size <= MOST_OF_MEMORY * torch.cuda.mem_get_info(device)[0]

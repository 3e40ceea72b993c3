"""Neighbours: the nearest other cells, exactly, also of the cells that remain without some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Codes, Floats
from zsgate.metrics.neighbours.ties import copies
from zsgate.system import arrays as spill

Mask = npt.NDArray[np.bool_]
SPARE = 4  # so many times more neighbours are found at first than are asked for, to have enough in most leave-outs
BLOCK_BYTES = 64 * 2**20  # of distances held at a time


class Neighbours:
    """The nearest other cells of each cell, nearest first, by Euclidean distance.

    Among more copies of a cell than are asked for, which come first is drawn for each cell.

    Parameters
    ----------
    rows
        Embedding, shape (n_cells, n_dimensions).
    n_nearest
        Neighbours to find for each cell.
    foreign
        Unit of each cell, to find neighbours of other units only; None finds any other cell.
    """

    def __init__(self, rows: npt.NDArray[Any], n_nearest: int, foreign: Codes | None = None) -> None:
        mean = rows.mean(axis=0, dtype=np.float64)
        self.rows: Floats = spill.empty(rows.shape, np.float64)
        for part in spill.stretches(self.rows):
            np.subtract(rows[part], mean, out=self.rows[part])
        self.squares: Floats = np.einsum("ij,ij->i", self.rows, self.rows)
        self.copies = list(copies(rows, n_nearest))
        self.group = np.full(len(rows), -1)  # of copies, by cell
        for number, group in enumerate(self.copies):
            self.group[group.cells] = number
        self.foreign = foreign
        self.n_nearest = n_nearest
        everybody = np.ones(len(rows), dtype=bool)
        self.found, self.known = self._search(np.arange(len(rows)), everybody, SPARE * n_nearest)

    def among(self, remaining: Mask) -> tuple[Codes, Mask]:
        """Return the neighbours of each remaining cell among the remaining ones.

        Parameters
        ----------
        remaining
            Who remains, shape (n_cells,).

        Returns
        -------
        Positions among all cells, shape (n_remaining, n_nearest), and which of them there are: where fewer cells
        are left than asked for, the last columns hold none.
        """
        cells = np.flatnonzero(remaining)
        found, known = self.found[cells], self.known[cells] & remaining[self.found[cells]]
        order = np.argsort(~known, axis=1, kind="stable")[:, : self.n_nearest]
        found, enough = np.take_along_axis(found, order, axis=1), np.take_along_axis(known, order, axis=1)
        short = np.flatnonzero(~enough.all(axis=1))
        if len(short):
            again, there = self._search(cells[short], remaining, self.n_nearest)
            found[short, : again.shape[1]], enough[short, : again.shape[1]] = again, there
        return found, enough

    def distances(self, cells: Codes, neighbours: Codes) -> Floats:
        """Return the distances of cells to their neighbours, shape (n, k) like ``neighbours``."""
        return np.stack([np.linalg.norm(self.rows[near] - self.rows[cells], axis=1) for near in neighbours.T], axis=1)

    def _search(self, cells: Codes, remaining: Mask, n_nearest: int) -> tuple[Codes, Mask]:
        n_nearest = min(n_nearest, max(1, int(remaining.sum()) - 1))
        found = np.empty((len(cells), n_nearest), dtype=np.intp)
        there = np.empty(found.shape, dtype=bool)
        for here in self._blocks(len(cells)):
            distances = self._squared(cells[here], remaining)
            near = np.argpartition(distances, n_nearest - 1, axis=1)[:, :n_nearest]
            near.sort(axis=1)  # of equally near cells the first comes first
            values = np.take_along_axis(distances, near, axis=1)
            order = np.argsort(values, axis=1, kind="stable")
            found[here] = np.take_along_axis(near, order, axis=1)
            there[here] = np.isfinite(np.take_along_axis(values, order, axis=1))
        return found, there

    def _squared(self, cells: Codes, remaining: Mask) -> Floats:
        """Return squared distances of ``cells`` to all, below 0 to copies and infinite to those that do not count."""
        squared = self.squares[cells, None] + self.squares - 2 * (self.rows[cells] @ self.rows.T)
        for number in np.unique(self.group[cells]):
            if number >= 0:
                rows = np.flatnonzero(self.group[cells] == number)
                self.copies[number].rank_below_zero(squared, rows, cells[rows])
        squared[:, ~remaining] = np.inf
        squared[np.arange(len(cells)), cells] = np.inf
        if self.foreign is not None:
            squared[self.foreign[cells, None] == self.foreign] = np.inf
        return np.asarray(squared)

    def _blocks(self, n_cells: int) -> Iterator[slice]:
        height = max(1, BLOCK_BYTES // (8 * len(self.rows)))
        for start in range(0, n_cells, height):
            yield slice(start, start + height)

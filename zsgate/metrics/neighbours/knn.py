"""Neighbours: the nearest other cells, exactly, also of the cells that remain without some."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Codes, Floats
from zsgate.metrics.neighbours.backend import BACKEND
from zsgate.metrics.neighbours.float64 import Factors, nearest
from zsgate.metrics.neighbours.ties import copies

if TYPE_CHECKING:
    from zsgate.metrics.neighbours.on_torch.search import Search

Mask = npt.NDArray[np.bool_]
Found = tuple[Codes, Mask]
SPARE = 4  # neighbours found at first, in multiples of those wanted: enough are left in most leave-outs


class Neighbours:
    """The nearest other cells of each cell, nearest first, by Euclidean distance.

    Where a cell has more copies than neighbours are wanted, which of them come first is drawn for each cell.

    Parameters
    ----------
    rows
        Embedding, shape (n_cells, n_dimensions).
    n_nearest
        Neighbours to find for each cell.
    foreign
        Unit of each cell, to find neighbours of other units only; None finds any other cell.
    searched
        What :meth:`search` has found for all cells; None searches when it is first needed.
    """

    def __init__(
        self, rows: npt.NDArray[Any], n_nearest: int, foreign: Codes | None = None, searched: Found | None = None
    ) -> None:
        self.factors = Factors.of(rows)
        self.copies = list(copies(rows, n_nearest))
        self.group = np.full(len(rows), -1)  # of copies, by cell
        for number, group in enumerate(self.copies):
            self.group[group.cells] = number
        self.foreign = foreign
        self.n_nearest = n_nearest
        self._searched = searched

    def search(self, start: int, stop: int) -> Found:
        """Return the nearest of some cells, from one to another, among all, and which of them there are."""
        everybody = np.ones(len(self.group), dtype=bool)
        return self._search(np.arange(start, stop), everybody, SPARE * self.n_nearest)

    @cached_property
    def everybody(self) -> Found:
        """The nearest of all cells, and which of them there are."""
        return self.search(0, len(self.group)) if self._searched is None else self._searched

    def among(self, remaining: Mask) -> Found:
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
        nearest, there = self.everybody
        found, known = nearest[cells], there[cells] & remaining[nearest[cells]]
        order = np.argsort(~known, axis=1, kind="stable")[:, : self.n_nearest]
        found, enough = np.take_along_axis(found, order, axis=1), np.take_along_axis(known, order, axis=1)
        short = np.flatnonzero(~enough.all(axis=1))
        if len(short):
            again, there = self._search(cells[short], remaining, self.n_nearest)
            found[short, : again.shape[1]], enough[short, : again.shape[1]] = again, there
        return found, enough

    def distances(self, cells: Codes, neighbours: Codes) -> Floats:
        """Return the distances of cells to their neighbours, shape (n, k) like ``neighbours``."""
        centred, own = self.factors.centred, self.factors.centred(cells)
        return np.stack([np.linalg.norm(centred(near) - own, axis=1) for near in neighbours.T], axis=1)

    @cached_property
    def _on_device(self) -> Search | None:
        """The search on the run's device, if that is a GPU and the embedding fits."""
        if BACKEND.device == "cpu":
            return None
        import torch

        from zsgate.metrics.neighbours.on_torch.search import Search, fits

        device = torch.device(BACKEND.device)
        return Search(self.factors, self.foreign, device) if fits(self.factors.rows, device) else None

    def _search(self, cells: Codes, remaining: Mask, n_nearest: int) -> Found:
        n_nearest = min(n_nearest, max(1, int(remaining.sum()) - 1))
        found = np.empty((len(cells), n_nearest), dtype=np.intp)
        there, here = np.empty(found.shape, dtype=bool), np.arange(len(cells))
        if self._on_device is not None:
            alone = self.group[cells] < 0  # copies are told apart here
            found[alone], there[alone] = _in_order(*self._on_device.nearest(cells[alone], remaining, n_nearest))
            here = here[~alone]
        height = max(1, min(self.factors.block_height, len(here)))
        buffer = np.empty((height, len(self.group)))
        for start in range(0, len(here), height):
            some = here[start : start + height]
            squares = self._squares(cells[some], remaining, buffer[: len(some)])
            near = nearest(squares, n_nearest)
            found[some], there[some] = _in_order(near, np.take_along_axis(squares, near, axis=1))
        return found, there

    def _squares(self, cells: Codes, remaining: Mask, out: Floats) -> Floats:
        """Return squared distances of ``cells`` to all, below 0 to copies and infinite to those that do not count."""
        squares = self.factors.squares(cells, out)
        for number in np.unique(self.group[cells]):
            if number >= 0:
                rows = np.flatnonzero(self.group[cells] == number)
                self.copies[number].rank_below_zero(squares, rows, cells[rows])
        squares[:, ~remaining] = np.inf
        squares[np.arange(len(cells)), cells] = np.inf
        if self.foreign is not None:
            squares[self.foreign[cells, None] == self.foreign] = np.inf
        return squares


def _in_order(near: Codes, squares: Floats) -> Found:
    """Return cells by their squared distances, of equally near ones the first first, and which of them there are."""
    order = np.lexsort((near, squares), axis=1)
    return np.take_along_axis(near, order, axis=1), np.isfinite(np.take_along_axis(squares, order, axis=1))

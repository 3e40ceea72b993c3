"""Copies: cells with exactly the same embedding, among whom no distance says which are a cell's nearest.

A search that finds the same few for all of them makes hubs, and the graph falls apart into these and single cells,
which NMI takes for structure. So each cell's copies follow in an order of its own. It is drawn at random, for the order
of the cells often follows their types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Codes, Floats
from zsgate.system import arrays


@dataclass(frozen=True)
class Group:
    """Cells that are copies of each other, on a circle: from each on, the others follow in the same steps.

    Attributes
    ----------
    cells
        Positions of the cells, in random order, shape (size,).
    steps
        1 to size - 1 in random order: the next copy of cell p of the circle is p + steps[0], then p + steps[1].
    """

    cells: Codes
    steps: Codes

    def nearest(self, n_nearest: int) -> Codes:
        """Return the first ``n_nearest`` copies of each of ``cells``, shape (size, n_nearest)."""
        place = np.arange(len(self.cells))[:, None] + self.steps[:n_nearest]
        return np.asarray(self.cells[place % len(self.cells)])

    def rank_below_zero(self, squared: Floats, rows: Codes, cells: Codes) -> None:
        """Put numbers below all distances where copies are, the first copy's the lowest.

        Parameters
        ----------
        squared
            Squared distances to all cells, shape (n, n_cells), to be written to.
        rows, cells
            Which of its rows are of cells of this group, and of which.
        """
        size = len(self.cells)
        rank, place = np.zeros(size), np.empty(squared.shape[1], dtype=np.intp)
        rank[self.steps] = np.arange(size - 1)
        place[self.cells] = np.arange(size)
        steps = (np.arange(size) - place[cells][:, None]) % size
        squared[np.ix_(rows, self.cells)] = rank[steps] - size


def copies(rows: npt.NDArray[Any], more_than: int) -> Iterator[Group]:
    """Yield the groups of more than ``more_than`` equal rows."""
    generator = np.random.default_rng(len(rows))
    mixed = np.empty(len(rows), dtype=np.uint64)
    weights = generator.integers(2**63, size=rows.shape[1] * rows.itemsize // 4, dtype=np.uint64) * 2 + 1
    for part in arrays.stretches(rows):
        words = np.ascontiguousarray(rows[part] + rows.dtype.type(0)).view(np.uint32)  # -0 becomes 0
        mixed[part] = words.astype(np.uint64) @ weights
    _, code, sizes = np.unique(mixed, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(sizes)
    for group in np.flatnonzero(sizes > more_than):
        cells = order[ends[group] - sizes[group] : ends[group]]
        cells = cells[(rows[cells] == rows[cells[0]]).all(axis=1)]  # should others mix to the same number
        if len(cells) > more_than:
            yield Group(generator.permutation(cells), 1 + generator.permutation(len(cells) - 1))

"""Block: what the distances of some cells to all came to, the boundary between distances and scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
Span = tuple[int, int]
BLOCK_ROWS = 512


@dataclass(frozen=True, slots=True)
class Block:
    """What the distances of the rows ``start`` to ``stop`` to all cells came to.

    Attributes
    ----------
    start, stop
        Rows of the block.
    sums
        Sum of the distances to each group of cells, shape (stop - start, n_groups), in any order of memory.
    neighbours
        Rows of the nearest other cells, shape (stop - start, n_nearest), in no particular order.
    rounding
        Distance up to which another cell may coincide with the row's, shape (stop - start,).
    """

    start: int
    stop: int
    sums: Floats
    neighbours: npt.NDArray[np.integer]
    rounding: Floats


def spans(borders: Positions, cells: tuple[int, int], height: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of runs of at most ``height`` of the ``cells`` from one to another that cross no border."""
    first, last = cells
    for begin, end in pairwise([first, *borders[(borders > first) & (borders < last)].tolist(), last]):
        for start in range(begin, end, height):
            yield start, min(start + height, end)

"""Distances: one pass over all pairs of cells gives group sums and exact nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
BLOCK_BYTES = 64 * 2**20  # of distances held at a time
BLOCK_ROWS = 512
FOLD = 16  # columns folded into one when looking for the nearest


@dataclass(frozen=True, slots=True)
class Block:
    """What the distances of the rows ``start`` to ``stop`` to all cells came to.

    Attributes
    ----------
    start, stop
        Rows of the block.
    sums
        Sum of the distances to each group of cells, shape (stop - start, n_groups).
    neighbours
        Rows of the nearest other cells, shape (stop - start, n_nearest), in no particular order.
    """

    start: int
    stop: int
    sums: Floats
    neighbours: Positions


def distance_blocks(
    rows: npt.NDArray[Any], groups: Positions, borders: Positions, *, n_nearest: int
) -> Iterator[Block]:
    """Yield the Euclidean distances of all cells to all cells, block by block, reduced as they come.

    Computed in float64 on centred rows: float32 loses 1e-4 of a silhouette on tight clusters, and without
    centring data far from the origin lose everything. Squares are ``|x|**2 + |y|**2 - 2 x.y``, so distances
    below 1e-8 of the norms are rounding; a cell is at exactly 0 from itself.

    Parameters
    ----------
    rows
        Embedding, shape (n_cells, n_dimensions), sorted so that each group is a run of rows.
    groups
        First row of each group, ascending from 0.
    borders
        Rows that no block may cross, ascending from 0.
    n_nearest
        Neighbours to find for each cell, at most n_cells - 1.
    """
    n_cells, n_dimensions = rows.shape
    right = np.ones((n_cells, n_dimensions + 2))  # (y, 1, |y|**2): one product with (-2 x, |x|**2, 1)
    centred = right[:, :n_dimensions]
    np.subtract(rows, rows.mean(axis=0, dtype=np.float64), out=centred)
    norms = np.einsum("ij,ij->i", centred, centred)
    right[:, -1] = norms
    height = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (8 * n_cells)))
    buffer = np.empty((height, n_cells))
    for start, stop in _spans(borders, n_cells, height):
        left = np.column_stack([-2 * centred[start:stop], norms[start:stop], np.ones(stop - start)])
        squares = np.matmul(left, right.T, out=buffer[: stop - start])
        itself = np.arange(stop - start), np.arange(start, stop)
        squares[itself] = np.inf
        neighbours = _nearest(squares, n_nearest)
        squares[itself] = 0
        distances = np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
        yield Block(start, stop, np.add.reduceat(distances, groups, axis=1), neighbours)


def _spans(borders: Positions, n_cells: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of runs of at most ``height`` rows that cross no border."""
    for first, end in pairwise([*borders.tolist(), n_cells]):
        for start in range(first, end, height):
            yield start, min(start + height, end)


def _nearest(squares: Floats, n_nearest: int) -> Positions:
    """Return the columns of the ``n_nearest`` smallest entries of each row, exactly.

    The k smallest entries lie in the k columns with the smallest minima of the matrix folded ``FOLD`` times,
    so only these need a full look.
    """
    n_rows, n_columns = squares.shape
    width = n_columns // FOLD
    if width <= 2 * n_nearest:
        return np.argpartition(squares, n_nearest - 1, axis=1)[:, :n_nearest]
    folded = squares[:, : FOLD * width].reshape(n_rows, FOLD, width).min(axis=1)
    best = np.argpartition(folded, n_nearest - 1, axis=1)[:, :n_nearest]
    looked_at = (best[:, :, None] + width * np.arange(FOLD)).reshape(n_rows, -1)
    rest = np.broadcast_to(np.arange(FOLD * width, n_columns), (n_rows, n_columns - FOLD * width))
    looked_at = np.hstack([looked_at, rest])
    near = np.argpartition(np.take_along_axis(squares, looked_at, axis=1), n_nearest - 1, axis=1)
    return np.take_along_axis(looked_at, near[:, :n_nearest], axis=1)

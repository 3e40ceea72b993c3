"""Distances in float64, by matrix products: for rows that are no float32, searches, and as the measure of float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.neighbours.block import BLOCK_ROWS, Block, Floats, Positions, Span, spans

BLOCK_BYTES = 256 * 2**20  # of distances held at a time
FACTOR_BYTES = 512 * 2**20  # of factors held; of a larger embedding they are made anew, a tile at a time
TILE_BYTES = 64 * 2**20
ROUNDING = 2e-7  # distances up to here, in norms of a centred cell, may be of cells that coincide
FAR = 100  # distances of a typical cell from the median: further away the mean is no centre
SAMPLE = 4096  # cells that the median is taken of
FOLD = 16  # columns folded into one when looking for the nearest


def blocks(
    rows: npt.NDArray[Any], groups: Positions, borders: Positions, cells: Span | None = None, *, n_nearest: int
) -> Iterator[Block]:
    """Yield what ``distance_blocks`` does, computed in float64 on centred rows.

    Without centring data far from the origin lose everything. Squares are ``|x|**2 + |y|**2 - 2 x.y``, so distances
    of about 1e-8 of the norms are rounding; a cell is at exactly 0 from itself.
    """
    factors = Factors.of(rows)
    n_cells, height = len(rows), factors.block_height
    buffer = np.empty((height, n_cells))
    for start, stop in spans(borders, cells or (0, n_cells), height):
        squares = factors.squares(slice(start, stop), buffer[: stop - start])
        itself = np.arange(stop - start), np.arange(start, stop)
        squares[itself] = np.inf
        neighbours = nearest(squares, n_nearest)
        squares[itself] = 0
        distances = np.sqrt(np.maximum(squares, 0, out=squares), out=squares)
        sums = np.add.reduceat(distances, groups, axis=1)
        yield Block(start, stop, sums, neighbours, ROUNDING * factors.norms(slice(start, stop)))


@dataclass(frozen=True, slots=True)
class Factors:
    """What distances are products of: (y, 1, |y|**2) of each cell y, less the centre of all.

    Attributes
    ----------
    rows
        Embedding.
    centre
        Mean of its rows; their median where one lies far from all others.
    tiles
        Which cells' factors are at hand at a time.
    held
        The factors of all cells, where one tile has them all.
    """

    rows: npt.NDArray[Any]
    centre: Floats
    tiles: tuple[slice, ...]
    held: Floats | None

    @classmethod
    def of(cls, rows: npt.NDArray[Any]) -> Factors:
        """Return the factors of an embedding, shape (n_cells, n_dimensions)."""
        n_cells, bytes_a_cell = len(rows), 8 * (rows.shape[1] + 2)
        centre = _centre(rows)
        if n_cells * bytes_a_cell <= FACTOR_BYTES:
            whole = slice(0, n_cells)
            return cls(rows, centre, (whole,), _factors(rows, centre, whole))
        width = max(1, TILE_BYTES // bytes_a_cell)
        tiles = (slice(first, min(first + width, n_cells)) for first in range(0, n_cells, width))
        return cls(rows, centre, tuple(tiles), None)

    @property
    def block_height(self) -> int:
        """How many rows of distances to hold at a time: the more, the more use is made of each tile that is remade."""
        room = BLOCK_BYTES if len(self.tiles) == 1 else FACTOR_BYTES
        return max(1, min(BLOCK_ROWS, room // (8 * len(self.rows))))

    def squares(self, cells: slice | Positions, out: Floats) -> Floats:
        """Return the squared distances of some cells to all, shape (n, n_cells), written to ``out``."""
        own = self._of(cells)
        left = np.column_stack([-2 * own[:, :-2], own[:, -1], np.ones(len(own))])
        for tile in self.tiles:
            np.matmul(left, self._of(tile).T, out=out[:, tile])
        return out

    def centred(self, cells: slice | Positions) -> Floats:
        """Return the rows of some cells less the centre of all, shape (n, n_dimensions)."""
        return self._of(cells)[:, :-2]

    def norms(self, cells: slice) -> Floats:
        """Return the distances of some cells to the centre, shape (n,)."""
        return np.asarray(np.sqrt(self._of(cells)[:, -1]))

    def _of(self, cells: slice | Positions) -> Floats:
        return _factors(self.rows, self.centre, cells) if self.held is None else self.held[cells]


def _centre(rows: npt.NDArray[Any]) -> Floats:
    """Return what rows are centred on, shape (n_dimensions,).

    A cell 1e10 away would shift the mean so far that the distances between all others drown in rounding; a median
    stays among them.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.intp)].astype(np.float64)
    median = np.median(some, axis=0)
    typical = float(np.median(np.linalg.norm(some - median, axis=1)))
    return np.asarray(median if np.linalg.norm(mean - median) > FAR * typical else mean)


def _factors(rows: npt.NDArray[Any], centre: Floats, cells: slice | Positions) -> Floats:
    some = rows[cells]
    factors = np.ones((len(some), some.shape[1] + 2))
    centred = factors[:, :-2]
    np.subtract(some, centre, out=centred)
    factors[:, -1] = np.einsum("ij,ij->i", centred, centred)
    return factors


def nearest(squares: Floats, n_nearest: int) -> Positions:
    """Return the columns of the ``n_nearest`` smallest entries of each row, exactly, in no particular order.

    The k smallest entries lie in the k columns with the smallest minima of the matrix folded ``FOLD`` times,
    so only these are searched.
    """
    n_rows, n_columns = squares.shape
    width = n_columns // FOLD
    if width <= 2 * n_nearest:
        return np.argpartition(squares, n_nearest - 1, axis=1)[:, :n_nearest]
    folded = squares[:, : FOLD * width].reshape(n_rows, FOLD, width).min(axis=1)
    best = np.argpartition(folded, n_nearest - 1, axis=1)[:, :n_nearest]
    candidates = (best[:, :, None] + width * np.arange(FOLD)).reshape(n_rows, -1)
    rest = np.broadcast_to(np.arange(FOLD * width, n_columns), (n_rows, n_columns - FOLD * width))
    candidates = np.hstack([candidates, rest])
    near = np.argpartition(np.take_along_axis(squares, candidates, axis=1), n_nearest - 1, axis=1)
    return np.take_along_axis(candidates, near[:, :n_nearest], axis=1)

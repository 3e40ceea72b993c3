"""Compiled loops of the distance pass: tiles of float32 products become distances, their sums, and candidates.

A tile's rows are centred on cells of that tile, so a cluster far from the origin, or narrow, is seen at its own scale.
Where a squared distance is small beside the norms that it is the difference of, it is taken anew in float64 from the
rows as they were given: such a distance has no cancellation, and that of two equal cells is exactly 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.system.compiled import Function, compiled

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int32]
FREE = {"contract", "nnan", "nsz", "reassoc"}  # sums in any order; nothing here is NaN, but "far" must compare
HEIGHT, WIDTH, PIECE = 128, 512, 256  # rows and columns of a tile; columns looked at together
RUN = 32  # distances added up in float32 before they are added in float64
CENTRES = 15  # rows of a tile whose median it is centred on: a few outliers do not move it
NEAR = np.float32(1 / 8)  # squared distances below this share of the two squared norms are repaired
TINY = np.float32(1e-27)  # and so are those where squares might be lost to underflow
FAR = np.float32(1e38)  # above all squares of scaled rows
ZERO, TWO, ALMOST_1, LEAST = np.float32(0), np.float32(2), 1 - 2.0**-22, 2.0**-148


def loop(function: Function) -> Function:
    """Compile a loop whose sums may be taken in any order."""
    return compiled(function, fastmath=FREE, error_model="numpy")


class Pairs(NamedTuple):
    """All pairs of cells: what is read of them, and what is written.

    Attributes
    ----------
    rows
        Embedding, shape (n_cells, n_dimensions).
    scale
        Power of two that the centred rows are multiplied by, against overflow.
    slack
        How far a squared distance may be off, in sums of the two squared norms.
    group
        Group of each cell, ascending, shape (n_cells,).
    sums
        Scaled sums of the distances to each group, shape (n_groups, n): of the cells from ``first`` on.
    first
        First cell that has a column of ``sums``.
    kept
        Candidates for the nearest other cells, shape (n_cells, n_kept).
    bounds
        Lower bounds of their scaled squared distances, ascending, the same shape.
    worst
        Last column of ``bounds``, shape (n_cells,); 0 where no candidates are wanted.
    """

    rows: Singles
    scale: float
    slack: float
    group: Ids
    sums: Doubles
    first: int
    kept: Ids
    bounds: Singles
    worst: Singles


class Tile(NamedTuple):
    """A tile's products, the squared norms of its centred rows and columns, and where it lies."""

    products: Singles
    norms: Singles
    norms_across: Singles
    row: int
    column: int
    both: bool  # whether its rows' sums and candidates are wanted, too, not only its columns'


@loop
def squared(one: Singles, other: Singles) -> float:
    """Return the squared distance of two rows in float64."""
    total = 0.0
    for k in range(len(one)):
        difference = np.float64(one[k]) - np.float64(other[k])
        total += difference * difference
    return total


@loop
def _centre(rows: Singles) -> Doubles:
    """Return the median of rows spread over ``rows``, shape (n_dimensions,)."""
    n_taken = min(CENTRES, len(rows))
    taken, centre = np.empty(n_taken, np.float32), np.empty(rows.shape[1])
    for k in range(rows.shape[1]):
        for place in range(n_taken):
            value, free = rows[(2 * place + 1) * len(rows) // (2 * n_taken), k], place
            while free > 0 and taken[free - 1] > value:
                taken[free] = taken[free - 1]
                free -= 1
            taken[free] = value
        centre[k] = taken[n_taken // 2]
    return centre


@loop
def _centred(rows: Singles, centre: Doubles, scale: float, out: Singles, norms: Singles) -> None:
    """Write the scaled rows less the centre, rounded once, and their squared norms, rounded once."""
    for row in range(len(rows)):
        given, moved, total = rows[row], out[row], 0.0
        for k in range(len(centre)):
            value = np.float32((np.float64(given[k]) - centre[k]) * scale)
            moved[k] = value
            total += np.float64(value) * np.float64(value)
        norms[row] = np.float32(total)


@loop
def _roots(values: Singles, norms: Singles, worst: Singles, own: tuple[np.float32, np.float32], slack: float) -> int:
    """Turn a row's products into distances; return how many of them are to be looked at."""
    own_norm, own_worst = own
    share, n_found = np.float32(slack), 0
    for q in range(len(values)):
        both = own_norm + norms[q]
        square = max(both - TWO * values[q], ZERO)
        limit = max(max(max(worst[q], own_worst) + share * both, NEAR * both), TINY)
        n_found += int(square <= limit)  # a count, because a minimum would not be vectorised
        values[q] = math.sqrt(square)
    return n_found


@loop
def _insert(pairs: Pairs, cell: int, other: int, bound: np.float32) -> None:
    """Put ``other`` among the candidates of ``cell``, in place of the worst."""
    bounds, kept = pairs.bounds[cell], pairs.kept[cell]
    place = len(bounds) - 1
    while place > 0 and bounds[place - 1] > bound:
        bounds[place], kept[place] = bounds[place - 1], kept[place - 1]
        place -= 1
    bounds[place], kept[place] = bound, other
    pairs.worst[cell] = bounds[len(bounds) - 1]


@loop
def _look(pairs: Pairs, tile: Tile, r: int, start: int, stop: int) -> None:
    """Repair distances of a row that cancellation has hurt, and keep the candidates among them."""
    cell, values, slack = tile.row + r, tile.products[r], np.float32(pairs.slack)
    own_worst = pairs.worst[cell] if tile.both else ZERO
    for q in range(start, stop):
        other, both = tile.column + q, tile.norms[r] + tile.norms_across[q]
        square = values[q] * values[q]
        if square <= max(NEAR * both, TINY):
            exact = squared(pairs.rows[cell], pairs.rows[other]) * pairs.scale * pairs.scale
            values[q] = np.float32(math.sqrt(exact))
            bound = max(np.float32(exact * ALMOST_1 - LEAST), ZERO)  # below the exact one however it is rounded
        else:
            bound = square - slack * both
        if bound < own_worst:
            _insert(pairs, cell, other, bound)
            own_worst = pairs.worst[cell]
        if bound < pairs.worst[other] and cell != other:
            _insert(pairs, other, cell, bound)


@loop
def _measure(pairs: Pairs, tile: Tile, diagonal: bool) -> None:
    """Turn a tile's products into distances, and take the candidates among them.

    On the diagonal, where the first column is the first row, each pair is taken once and what is left is 0.
    """
    height, width = tile.products.shape
    worst = pairs.worst[tile.column : tile.column + width]
    for r in range(height):
        values, left = tile.products[r], r + 1 if diagonal else 0
        values[:left] = ZERO
        for start in range(left, width, PIECE):
            stop = min(start + PIECE, width)
            own = tile.norms[r], pairs.worst[tile.row + r] if tile.both else ZERO
            if _roots(values[start:stop], tile.norms_across[start:stop], worst[start:stop], own, pairs.slack):
                _look(pairs, tile, r, start, stop)


@loop
def _add_to_columns(pairs: Pairs, tile: Tile, totals: Singles) -> None:
    """Add the tile's distances to each column's sums over the groups of the rows; ``totals`` is room for a row."""
    first, width = tile.column - pairs.first, len(totals)
    totals[:] = ZERO
    for r in range(len(tile.products)):
        values, group = tile.products[r], pairs.group[tile.row + r]
        for q in range(width):
            totals[q] += values[q]
        if r % RUN == RUN - 1 or r == len(tile.products) - 1 or pairs.group[tile.row + r + 1] != group:
            sums = pairs.sums[group, first : first + width]
            for q in range(width):
                sums[q] += totals[q]
                totals[q] = ZERO


@loop
def _add_to_rows(pairs: Pairs, tile: Tile) -> None:
    """Add the tile's distances to each row's sums over the groups of the columns."""
    height, width = tile.products.shape
    group, begin = pairs.group[tile.column : tile.column + width], 0
    while begin < width:
        end = begin + 1
        while end < width and group[end] == group[begin]:
            end += 1
        sums = pairs.sums[group[begin], tile.row - pairs.first : tile.row - pairs.first + height]
        for r in range(height):
            values, total = tile.products[r, begin:end], ZERO
            for q in range(len(values)):
                total += values[q]
            sums[r] += total
        begin = end


@loop
def sweep(pairs: Pairs, rows: tuple[int, int], columns: tuple[int, int], both: bool) -> None:
    """Take all pairs of a row and a column into sums and candidates; of the columns alone unless ``both`` count.

    Rows and columns are (first cell, the one after the last). If both count, they are the same cells, whose pairs are
    taken once, or have none in common.
    """
    n_dimensions, twice = pairs.rows.shape[1], both and rows[0] == columns[0]
    own, across = np.empty((HEIGHT, n_dimensions), np.float32), np.empty((WIDTH, n_dimensions), np.float32)
    norms, norms_across = np.empty(HEIGHT, np.float32), np.empty(WIDTH, np.float32)
    products, totals = np.empty(HEIGHT * WIDTH, np.float32), np.empty(WIDTH, np.float32)
    for left in range(columns[0], columns[1], WIDTH):
        right = min(left + WIDTH, columns[1])
        centre = _centre(pairs.rows[left:right])
        _centred(pairs.rows[left:right], centre, pairs.scale, across, norms_across)
        last = right if twice else rows[1]
        n_tiles = (last - rows[0] + HEIGHT - 1) // HEIGHT
        nearest = max(0, min(n_tiles - 1, (right - 1 - rows[0]) // HEIGHT))  # first, for narrow bounds early
        for step in range(n_tiles):
            top = rows[0] + (nearest - step) % n_tiles * HEIGHT
            bottom, skipped = min(top + HEIGHT, last), max(0, top - left) if twice else 0
            height, width = bottom - top, right - left - skipped
            _centred(pairs.rows[top:bottom], centre, pairs.scale, own, norms)
            out = products[: height * width].reshape(height, width)
            np.dot(own[:height], across[skipped : right - left].T, out)
            tile = Tile(out, norms, norms_across[skipped:], top, left + skipped, both)
            _measure(pairs, tile, twice and top >= left)
            _add_to_columns(pairs, tile, totals[:width])
            if both:
                _add_to_rows(pairs, tile)

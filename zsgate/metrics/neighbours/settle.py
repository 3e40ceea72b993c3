"""Compiled loops that settle which cells are nearest, in float64: among candidates if these suffice, else among all."""

from __future__ import annotations

import numpy as np

from zsgate.metrics.neighbours.kernel import Doubles, Ids, Pairs, Singles, loop

STEP = 64  # dimensions after which it is asked whether a cell is too far already
FARTHEST = np.finfo(np.float64).max


@loop
def settle(pairs: Pairs, cells: tuple[int, int], found: Ids) -> int:
    """Fill ``found`` with the nearest other cells of some; return of how many the candidates did not suffice.

    Whoever is no candidate is at least as far as the worst bound says, so if the last cell that is wanted is no farther
    than that, none is missed.
    """
    n_kept, n_found, n_searched = pairs.kept.shape[1], found.shape[1], 0
    squares = np.empty(n_found)
    for cell in range(cells[0], cells[1]):
        row = found[cell - cells[0]]
        squares[:] = FARTHEST
        for place in range(n_kept):
            _offer(pairs.rows, cell, pairs.kept[cell, place], row, squares)
        farthest = squares[n_found - 1]
        if n_kept < len(pairs.rows) - 1 and farthest * pairs.scale * pairs.scale > pairs.worst[cell]:
            n_searched += 1
            squares[:] = np.nextafter(farthest, FARTHEST)
            for other in range(len(pairs.rows)):
                if other != cell:
                    _offer(pairs.rows, cell, other, row, squares)
    return n_searched


@loop
def _offer(rows: Singles, cell: int, other: int, found: Ids, squares: Doubles) -> None:
    """Put ``other`` among the cells found, in order of distance, if it is nearer than the last of them."""
    last = len(found) - 1
    square = _squared(rows[cell], rows[other], squares[last])
    if square >= squares[last]:
        return
    place = last
    while place > 0 and squares[place - 1] > square:
        squares[place], found[place] = squares[place - 1], found[place - 1]
        place -= 1
    squares[place], found[place] = square, other


@loop
def _squared(one: Singles, other: Singles, limit: float) -> float:
    """Return the squared distance of two rows, or, once it has reached the limit, what it is at least."""
    total, start = 0.0, 0
    while start < len(one) and total < limit:
        part = 0.0
        for k in range(start, min(start + STEP, len(one))):
            difference = np.float64(one[k]) - np.float64(other[k])
            part += difference * difference
        total += part
        start += STEP
    return total

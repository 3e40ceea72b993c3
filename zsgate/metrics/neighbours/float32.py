"""Distances in float32, each pair once, with repair: who takes which tiles, and when.

Cells lie in stripes. In a round every stripe meets one other, so threads share no cell and need no lock; all pairs have
met after as many rounds as there are stripes. Stripes and rounds follow from the number of cells alone: the number of
threads changes no bit.

With float32 rounding u = 2**-24, d dimensions and the squared norms N = |x|**2 + |y|**2 of two centred rows, the
squared distance of a tile is off by no more than (g + 24 u) N, g = d u / (1 - d u). The product is within g N / 2 in
any order of its sum, with or without fused steps (Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1),
and counts twice. The rest are single roundings: of the two centred rows (4 u N), of norms and their sum (2 u), of the
difference (2 u), of the root and its square (6 u), of comparisons with a bound (6 u), and what is left over (4 u).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.neighbours.block import BLOCK_ROWS, Block, Positions, Span, spans
from zsgate.system.parallel.threads import share

if TYPE_CHECKING:
    from zsgate.metrics.neighbours.kernel import Pairs

SUMS_BYTES = (
    512 * 2**20
)  # of sums held; with more groups and cells each pair is taken twice, a panel of cells at a time
STRIPES, STRIPE_CELLS = 32, 1024  # at most so many, at least so long
SPARE = 6  # candidates for neighbours beyond those wanted
RANGE = 40  # the binary exponent that the widest column is scaled to
ROUNDING, ROUNDINGS = 2.0**-24, 24

SideBySide = Callable[[Callable[[Any], object], Iterable[Any]], list[object]]


def serves(rows: npt.NDArray[Any]) -> bool:
    """Return whether these rows can be taken in float32: they are, and not so wide that rounding means anything."""
    from zsgate.metrics.neighbours.kernel import NEAR

    return rows.dtype == np.float32 and _slack(rows.shape[1]) < float(NEAR) / 2


def blocks(
    rows: npt.NDArray[np.float32], groups: Positions, borders: Positions, cells: Span | None = None, *, n_nearest: int
) -> Iterator[Block]:
    """Yield what ``distance_blocks`` does: sums of distances within a few 1e-7 of float64's, and exact neighbours."""
    pairs = _pairs(rows, groups, n_nearest)
    begin, end = cells or (0, len(rows))
    for first in range(begin, end, pairs.sums.shape[1]):
        some = first, min(first + pairs.sums.shape[1], end)
        found = np.empty((some[1] - first, n_nearest), dtype=np.int32)
        pairs.sums[:] = 0
        _take(pairs._replace(first=first), some, found)
        for start, stop in spans(borders, some, BLOCK_ROWS):
            part = slice(start - first, stop - first)
            sums = pairs.sums[:, part] / pairs.scale
            yield Block(start, stop, sums.T, found[part], np.zeros(stop - start))


def _pairs(rows: npt.NDArray[np.float32], groups: Positions, n_nearest: int) -> Pairs:
    """Return what the pass reads and writes, before it begins, with sums of as many cells as there is room for."""
    from zsgate.metrics.neighbours import kernel

    n_cells = len(rows)
    n_kept = min(n_nearest + SPARE, n_cells - 1) if n_nearest else 0
    far = kernel.FAR if n_nearest else kernel.ZERO
    return kernel.Pairs(
        rows=np.require(rows, requirements=["C", "W"]),
        scale=_scale(rows),
        slack=_slack(rows.shape[1]),
        group=np.repeat(np.arange(len(groups), dtype=np.int32), np.diff([*groups.tolist(), n_cells])),
        sums=np.zeros((len(groups), min(panel_of(len(groups)), n_cells))),
        first=0,
        kept=np.zeros((n_cells, n_kept), dtype=np.int32),
        bounds=np.full((n_cells, n_kept), far),
        worst=np.full(n_cells, far),
    )


def panel_of(n_groups: int) -> int:
    """Return for how many cells there is room for sums to so many groups."""
    return max(STRIPE_CELLS, SUMS_BYTES // (8 * n_groups))


def _take(pairs: Pairs, cells: Span, found: npt.NDArray[np.int32]) -> None:
    """Sum the distances of some cells to all, and find their neighbours."""
    from zsgate.metrics.neighbours import kernel
    from zsgate.metrics.neighbours.settle import settle

    n_cells, (first, last) = len(pairs.rows), cells
    with _threads(n_cells) as side_by_side:
        if last - first == n_cells:
            for meetings in rounds(n_cells, kernel.WIDTH):
                side_by_side(lambda meeting: kernel.sweep(pairs, meeting[0], meeting[1], True), meetings)
        else:
            side_by_side(lambda tile: kernel.sweep(pairs, (0, n_cells), tile, False), _runs(cells, kernel.WIDTH))
        if found.shape[1]:
            parts = _runs(cells, STRIPE_CELLS)
            side_by_side(lambda part: settle(pairs, part, found[part[0] - first : part[1] - first]), parts)


def rounds(n_cells: int, width: int) -> Iterator[list[tuple[Span, Span]]]:
    """Yield lists of (rows, columns), of which none in a list share a cell: every stripe with itself, then with others.

    Parameters
    ----------
    n_cells
        Cells in all.
    width
        Columns of a tile, of which stripes have a whole number but for the last.
    """
    n_stripes = min(STRIPES, n_cells // STRIPE_CELLS)
    n_stripes -= n_stripes % 2
    length = width * math.ceil(n_cells / (width * max(1, n_stripes)))
    stripes = _runs((0, n_cells), length)
    yield [(stripe, stripe) for stripe in stripes]
    ring = list(range(len(stripes) + len(stripes) % 2))  # with an odd number one sits out
    for _ in ring[1:]:
        couples = (sorted((ring[place], ring[-1 - place])) for place in range(len(ring) // 2))
        yield [(stripes[one], stripes[other]) for one, other in couples if other < len(stripes)]
        ring = [ring[0], ring[-1], *ring[1:-1]]


def _runs(cells: Span, length: int) -> list[Span]:
    """Return (start, stop) of runs of at most so many cells."""
    return list(spans(np.empty(0, dtype=np.intp), cells, length))


def _scale(rows: npt.NDArray[np.float32]) -> float:
    """Return the power of two that takes the widest column to 2**RANGE, far from overflow and from underflow."""
    with np.errstate(invalid="ignore"):
        width = float((rows.max(axis=0).astype(np.float64) - rows.min(axis=0)).max(initial=0))
    if not math.isfinite(width):
        msg = "an embedding has values that are NaN or infinite; it has no distances"
        raise ValueError(msg)
    return math.ldexp(1.0, RANGE - math.frexp(width)[1]) if width else 1.0


def _slack(n_dimensions: int) -> float:
    """Return how far a squared distance may be off, in sums of the two squared norms."""
    product = n_dimensions * ROUNDING
    return product / (1 - product) + ROUNDINGS * ROUNDING if product < 1 else math.inf


@contextmanager
def _threads(n_cells: int) -> Iterator[SideBySide]:
    """Give what calls a function with each of some arguments, on as many threads as BLAS may use; BLAS has one."""
    blas = _blas()
    n_threads = min(share(), max((library.num_threads for library in blas.lib_controllers), default=1))
    with blas.limit(limits=1):
        if n_threads == 1 or n_cells < 2 * STRIPE_CELLS:
            yield _in_turn
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                yield lambda function, given: list(pool.map(function, given))


def _in_turn(function: Callable[[Any], object], given: Iterable[Any]) -> list[object]:
    return [function(each) for each in given]


@cache
def _blas() -> Any:
    """Return the controller of the libraries for matrix products; looking for them takes milliseconds."""
    import scipy.linalg.cython_blas  # noqa: F401  # what compiled loops call
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController().select(user_api="blas")

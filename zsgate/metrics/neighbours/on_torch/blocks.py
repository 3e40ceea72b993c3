"""The pass over all pairs in torch: what a GPU computes, and a CPU to the same numbers.

Squared distances are float32 products of the cells centred on each block's median. Where cancellation bites, below
``NEAR`` of the two squared norms, they are computed anew as float64 differences, so equal cells are at exactly 0. Sums
are float64. Neighbours are candidates by float32, ranked in float64; the proof that no other cell is nearer is
:func:`_certain`, and a cell without it is searched whole in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zsgate.metrics.neighbours.block import Block, Positions, Span, spans
from zsgate.metrics.neighbours.on_torch.columns import STRETCH, Columns, scale_of
from zsgate.metrics.neighbours.on_torch.exact import exact_pairs, exact_search, exact_squares
from zsgate.system import arrays

NEAR = 1 / 16  # of the squared norms: nearer pairs are computed anew
TINY = 1e-30  # squared distances below which float32 may have lost what is left, a typical cell being at 1
OFTEN = 1 / 4  # of a stretch's runs: where more hold a pair that is too near, all of it is computed anew
SPARE = 17  # candidates beyond the neighbours wanted
MOST_ROWS = 4096
CPU_BYTES = 256 * 2**20  # of squares held at a time on a CPU
GPU_SHARE = 1 / 8  # of the free memory of a GPU, for the same
MOST_OF_MEMORY = 0.6  # of what is free, for the rows and their factors
UNIT = 2.0**-24  # rounding of float32
FARTHEST = 1e17  # times as far as a typical cell; squares beyond it overflow


class Pass:
    """All pairs of cells on one device.

    Parameters
    ----------
    rows
        Embedding, shape (n_cells, n_dimensions), each group a run of rows.
    groups
        First row of each group, ascending from 0.
    n_nearest
        Neighbours to find for each cell.
    device
        Where to compute.
    """

    def __init__(self, rows: npt.NDArray[np.float32], groups: Positions, n_nearest: int, device: torch.device) -> None:
        self.columns = Columns.of(rows, groups, device)
        self.n_nearest = n_nearest
        self.n_kept = min(n_nearest + SPARE, len(rows) - 1)
        n_columns, d = self.columns.rows.shape
        self.factors = torch.empty((n_columns, d + 2), device=device)
        room = CPU_BYTES if device.type == "cpu" else int(GPU_SHARE * torch.cuda.mem_get_info(device)[0])
        self.height = max(1, min(MOST_ROWS, room // (4 * n_columns)))
        self.bound = error_bound(d)

    def blocks(self, start: int, stop: int) -> list[Block]:
        """Return what the distances of the cells ``start`` to ``stop`` come to, in halves where memory is short."""
        try:
            with _in_float32():
                return [self._block(start, stop)]
        except torch.OutOfMemoryError:  # somebody else has taken memory since
            if stop - start == 1:
                raise
        middle = (start + stop) // 2
        return [*self.blocks(start, middle), *self.blocks(middle, stop)]

    def _block(self, start: int, stop: int) -> Block:
        own = self.columns.place[start:stop]
        left = self._centre(own)
        squares, minima = self._squares(left, own)
        near = self._nearest(own, squares, minima)
        return Block(start, stop, _on_host(self._sums(squares, own)), _on_host(near), np.zeros(stop - start))

    def _centre(self, own: Tensor) -> Tensor:
        """Write the factors (y, 1, |y|**2) of all columns less the block's median; return (-2 x, |x|**2, 1) of ``own``.

        Where nobody is, all factors are 0 but the last, which is infinite.
        """
        columns, factors = self.columns, self.factors
        centred = factors[:, :-2]
        torch.mul(columns.rows, columns.scale, out=centred)
        centred -= columns.rows[own].median(dim=0).values * columns.scale
        factors[:, -2] = 1
        factors[:, -1] = torch.linalg.vector_norm(centred, dim=1).square_()
        factors[columns.nobody] = 0
        factors[columns.nobody, -1] = math.inf
        left = factors[own]
        left[:, :-2] *= -2
        left[:, [-2, -1]] = left[:, [-1, -2]]
        return left

    def _squares(self, left: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Return squared distances (n_rows, n_columns), infinite to oneself and to nobody, and each run's least."""
        columns = self.columns
        squares = left @ self.factors.T
        squares[torch.arange(len(own), device=own.device), own] = math.inf
        minima = columns.by_run(squares).amin(1)
        norms = self.factors[:, -1].masked_fill(columns.nobody, 0)
        doubtful = minima <= NEAR * (left[:, -2, None] + columns.by_run(norms).amax(0)) + TINY
        often = doubtful.view(len(own), -1, STRETCH).float().mean((0, 2)) > OFTEN
        for stretch in often.nonzero().ravel().tolist():
            self._replace(squares, minima, own, slice(stretch * STRETCH, (stretch + 1) * STRETCH))
        doubtful &= ~often.repeat_interleave(STRETCH)
        row, run = doubtful.nonzero(as_tuple=True)
        there = columns.of_runs(run)
        near = squares[row[:, None], there] <= NEAR * (norms[own[row], None] + norms[there]) + TINY
        pair, other = row[near.nonzero(as_tuple=True)[0]], there[near]
        squares[pair, other] = exact_pairs(columns.rows, own[pair], other[:, None], columns.scale).ravel().float()
        minima[row, run] = squares[row[:, None], there].amin(1)
        return squares, minima

    def _replace(self, squares: Tensor, minima: Tensor, own: Tensor, runs: slice) -> None:
        """Compute all squares of a stretch of runs anew."""
        columns = self.columns
        there = columns.of_runs(torch.arange(runs.start, runs.stop, device=own.device)).T.ravel()
        exact = exact_squares(columns.rows[own], columns.rows[there], columns.scale)
        exact[(own[:, None] == there) | columns.nobody[there]] = math.inf
        squares[:, there] = exact.float()
        minima[:, runs] = columns.by_run(squares)[:, :, runs].amin(1)

    def _nearest(self, own: Tensor, squares: Tensor, minima: Tensor) -> Tensor:
        """Return the nearest cells, (n_rows, n_nearest): the k smallest lie in the k runs with the smallest minima."""
        columns, k, kept = self.columns, self.n_nearest, self.n_kept
        if k == 0:
            return own.new_empty((len(own), 0))
        runs = minima.topk(min(kept, minima.shape[1]), dim=1, largest=False, sorted=False).indices
        there = columns.of_runs(runs).flatten(1)
        best = squares.gather(1, there).topk(kept, dim=1, largest=False, sorted=False)
        found = there.gather(1, best.indices)
        exact = exact_pairs(columns.rows, own, found, columns.scale)
        order = exact.argsort(dim=1, stable=True)[:, :k]
        near = found.gather(1, order)
        if kept < len(columns.place) - 1:
            last = exact.gather(1, order[:, -1:]).ravel()
            norms = self.factors[own, -1].double()
            unsure = (~_certain(last, best.values.amax(1).double(), norms, self.bound)).nonzero().ravel()
            near[unsure] = exact_search(columns, own[unsure], k)
        return columns.cells[near]

    def _sums(self, squares: Tensor, own: Tensor) -> Tensor:
        """Return the sums of the distances to each group, (n_rows, n_groups); the squares are overwritten."""
        columns = self.columns
        squares.index_fill_(1, columns.nobody.nonzero().ravel(), 0)
        squares[torch.arange(len(own), device=own.device), own] = 0
        by_run = columns.by_run(squares.sqrt_()).sum(1)  # of at most MOST_CELLS distances each
        until = torch.nn.functional.pad(by_run.cumsum(1, dtype=torch.float64), (1, 0))[:, columns.edges]
        return (until[:, 1:] - until[:, :-1]) / columns.scale


def blocks(
    rows: npt.NDArray[np.float32],
    groups: Positions,
    borders: Positions,
    cells: Span | None = None,
    *,
    n_nearest: int,
    device: torch.device,
) -> Iterator[Block]:
    """Yield what :func:`zsgate.metrics.neighbours.distances.distance_blocks` does, computed on ``device``.

    The next block is computed while the caller works on one.

    Raises
    ------
    ValueError
        If a value of the embedding is NaN or infinite.
    """
    whole = Pass(rows, groups, n_nearest, device)
    with ThreadPoolExecutor(1) as ahead:
        made = None
        for span in spans(borders, cells or (0, len(rows)), whole.height):
            following = ahead.submit(whole.blocks, *span)
            if made is not None:
                yield from made.result()
            made = following
        if made is not None:
            yield from made.result()


def suits(rows: npt.NDArray[np.float32], device: torch.device) -> bool:
    """Return whether an embedding fits in the memory of a device, and its squares in float32."""
    if device.type == "cuda" and 2 * rows.nbytes > MOST_OF_MEMORY * torch.cuda.mem_get_info(device)[0]:
        return False
    if rows.dtype != np.float32:
        return False
    scale = scale_of(rows)
    return all(bool((np.abs(rows[part]) * scale < FARTHEST).all()) for part in arrays.stretches(rows))


def error_bound(d: int) -> float:
    """Return what the error of a float32 square is at most, in units of the two squared norms.

    A sum of n products errs by at most gamma = n u / (1 - n u) of the sum of their sizes, in any order and with or
    without fused multiplication (Higham 2002, 3.1). Twice that is the product's, once the norms', and the centring adds
    4 u; four more terms and 8 u leave room for the roundings between these.
    """
    n = d + 4
    return 3 * n * UNIT / (1 - n * UNIT) + 8 * UNIT


def _certain(last: Tensor, kept: Tensor, norms: Tensor, bound: float) -> Tensor:
    """Return for which cells no cell outside the candidates can be nearer than the last neighbour, (n_rows,).

    An outsider y of the cell x has a float32 square f of at least ``kept``, the largest among the candidates, and a
    true square t with ``abs(f - t) <= bound * s``, s = |x|**2 + |y|**2. Two bounds follow, and the better counts:

    - as |y| <= |x| + sqrt(t), s <= 3 |x|**2 + 2 t, so t >= (kept - 3 bound |x|**2) / (1 + 2 bound);
    - y was computed anew, with t >= f (1 - 2 u), or f >= NEAR s with s rounded, and so t >= f (1 - 1.01 bound / NEAR).

    Parameters
    ----------
    last
        True square of the last neighbour, (n_rows,); where it is 0 nothing can be nearer.
    kept
        Largest float32 square among the candidates.
    norms
        Squared norms |x|**2.
    bound
        On the error of a square.
    """
    by_norm = (kept - 3 * bound * norms) / (1 + 2 * bound)
    by_share = kept * (1 - 1.01 * bound / NEAR)
    return (last <= torch.maximum(by_norm, by_share)) | (last == 0)


def _on_host(tensor: Tensor) -> npt.NDArray[Any]:
    """Return a tensor as an array, by way of memory that a GPU writes to directly."""
    if tensor.device.type == "cpu":
        return tensor.numpy()
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor).numpy()


@contextmanager
def _in_float32() -> Iterator[None]:
    """Multiply in float32 inside the block, whatever is set: TF32 has 10 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)

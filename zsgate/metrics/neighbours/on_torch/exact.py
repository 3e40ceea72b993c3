"""Exact: squared distances as float64 sums of squared differences, which cancel nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from zsgate.metrics.neighbours.on_torch.columns import Columns

PAIR_BYTES = 128 * 2**20  # of differences held at a time
SEARCH_BYTES = 256 * 2**20  # of squares held at a time


def exact_squares(left: Tensor, right: Tensor, scale: float) -> Tensor:
    """Return the squared distances of all of ``left`` to all of ``right``, float64 (n, m), in units of 1/scale**2."""
    far = torch.cdist(left.double(), right.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return (far * scale).square_()


def exact_pairs(rows: Tensor, own: Tensor, others: Tensor, scale: float) -> Tensor:
    """Return the squared distances of each of ``own`` to its ``others``, float64 (n, k), in units of 1/scale**2.

    Parameters
    ----------
    rows
        Embedding, (n_columns, n_dimensions).
    own, others
        Positions in it, (n,) and (n, k).
    scale
        Of the distances.
    """
    squares = torch.empty(others.shape, dtype=torch.float64, device=rows.device)
    height = max(1, PAIR_BYTES // (8 * max(1, others.shape[1]) * rows.shape[1]))
    for first in range(0, len(own), height):
        part = slice(first, first + height)
        differences = rows[others[part]].double() - rows[own[part], None]
        squares[part] = differences.mul_(scale).square_().sum(-1)
    return squares


def exact_search(columns: Columns, own: Tensor, n_nearest: int) -> Tensor:
    """Return the nearest columns of the cells in columns ``own``, by float64 alone, (n, n_nearest)."""
    found = torch.empty((len(own), n_nearest), dtype=torch.int64, device=own.device)
    height = max(1, SEARCH_BYTES // (8 * len(columns.rows)))
    for first in range(0, len(own), height):
        part = own[first : first + height]
        squares = exact_squares(columns.rows[part], columns.rows, columns.scale)
        squares[:, columns.nobody] = math.inf
        squares[torch.arange(len(part), device=own.device), part] = math.inf
        found[first : first + height] = squares.topk(n_nearest, dim=1, largest=False, sorted=False).indices
    return found

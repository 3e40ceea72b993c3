"""Distances: one pass over all pairs of cells gives group sums and exact nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.neighbours.backend import BACKEND
from zsgate.metrics.neighbours.block import Block, Positions, Span

__all__ = ["Block", "Positions", "distance_blocks"]


def distance_blocks(
    rows: npt.NDArray[Any], groups: Positions, borders: Positions, cells: Span | None = None, *, n_nearest: int
) -> Iterator[Block]:
    """Yield the Euclidean distances of cells to all cells, reduced to sums and neighbours, block by block.

    Those of float32 rows are taken in float32 with repair, on the run's device if they suit it; others in float64.

    Parameters
    ----------
    rows
        Embedding, shape (n_cells, n_dimensions), sorted so that each group is a run of rows.
    groups
        First row of each group, ascending from 0.
    borders
        Rows that no block may cross, ascending from 0.
    cells
        First of the cells whose distances are taken, and where they end; None takes all.
    n_nearest
        Neighbours to find for each cell, at most n_cells - 1.

    Raises
    ------
    ValueError
        If a value of the embedding is NaN or infinite.
    """
    from zsgate.metrics.neighbours import float32, float64

    if BACKEND.device != "cpu" and rows.dtype == np.float32:
        import torch

        from zsgate.metrics.neighbours.on_torch import blocks as on_torch

        device = torch.device(BACKEND.device)
        if on_torch.suits(rows, device):
            return on_torch.blocks(rows, groups, borders, cells, n_nearest=n_nearest, device=device)
    take = float32.blocks if float32.serves(rows) else float64.blocks
    return take(rows, groups, borders, cells, n_nearest=n_nearest)

"""Apart: whose cells are no neighbours of each other, and what is expected among those that may be."""

from __future__ import annotations

import numpy as np

from zsgate.metrics.cells import Cells, Codes, Floats
from zsgate.metrics.removal import Mask


def kept_apart(cells: Cells) -> Codes | None:
    """Return the donor of each cell, whose other cells are no neighbours of it, or None.

    Cells of one donor are alike, and most donors are of one batch: what sets a donor apart is no effect of its batch.
    Where a batch is mostly one donor the two cannot be told apart, and donors are not kept apart.
    """
    donors = _donors(cells)
    if donors is None:
        return None
    everybody = np.ones(cells.n_cells, dtype=bool)
    among_others, among_all = (expected(cells, everybody, each)[1] for each in (donors, None))
    n_counted = [np.count_nonzero((share > 0) & (share < 1)) for share in (among_others, among_all)]
    return None if 2 * n_counted[0] < n_counted[1] else donors


def _donors(cells: Cells) -> Codes | None:
    if cells.names and cells.unit == "donor":
        return cells.units
    if cells.dataset is None or cells.dataset.donors is None:
        return None
    return np.unique(cells.dataset.donors, return_inverse=True)[1]


def expected(cells: Cells, remaining: Mask, apart: Codes | None) -> tuple[Codes, Floats]:
    """Return how many cells of its type may be neighbours of each that remains, and other batches' share of them."""
    labels, batches = cells.labels[remaining], cells.batches[remaining]
    who = None if apart is None else apart[remaining]
    of_type = _others(labels, who)
    of_batch = _others(labels * (batches.max(initial=0) + 1) + batches, who)
    share = np.divide(of_type - of_batch, of_type, out=np.full(len(of_type), np.nan), where=of_type > 0)
    return of_type, share


def _others(groups: Codes, who: Codes | None) -> Codes:
    """Return how many cells of other donors, or other cells, are in each cell's group."""
    group_sizes = np.bincount(groups)[groups]
    if who is None:
        return np.asarray(group_sizes - 1)
    pairs = groups * (who.max(initial=0) + 1) + who
    _, pair, common = np.unique(pairs, return_inverse=True, return_counts=True)
    return np.asarray(group_sizes - common[pair])

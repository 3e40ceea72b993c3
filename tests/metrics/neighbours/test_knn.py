"""Nearest neighbours are exact, also of the cells that remain and of other donors."""

from __future__ import annotations

import numpy as np

from zsgate.metrics.neighbours.knn import Neighbours


def test_neighbours_are_exact_also_of_foreign_units(some):
    """By brute force, for any mask, with and without the own donor's cells."""
    dataset, rows = some
    units = np.unique(dataset.donors, return_inverse=True)[1]
    distances = np.linalg.norm(rows[:, None].astype(float) - rows[None].astype(float), axis=2)
    np.fill_diagonal(distances, np.inf)
    for foreign in (None, units):
        allowed = distances if foreign is None else np.where(units[:, None] == units, np.inf, distances)
        nearest = Neighbours(rows, 10, foreign)
        for mask in (np.ones(len(rows), bool), units != 3, units < 2):
            found, there = nearest.among(mask)
            expected = np.argsort(allowed[np.ix_(mask, mask)], axis=1, kind="stable")[:, : found.shape[1]]
            np.testing.assert_array_equal(
                np.where(there, found, -1), np.where(there, np.flatnonzero(mask)[expected], -1)
            )
            assert there.sum() == min(10, mask.sum() - 1) * mask.sum() or foreign is not None

"""The nearest neighbours of a distance pass are exact."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.distance_pass import distance_pass


@pytest.mark.parametrize(("n_cells", "n_dimensions"), [(10, 3), (300, 4), (1001, 20)])
def test_neighbours_are_exact(n_cells, n_dimensions):
    """The nearest cells are those of scikit-learn's brute-force search."""
    rows = np.random.default_rng(5).normal(size=(n_cells, n_dimensions)).astype(np.float32)
    k = min(14, n_cells - 1)
    found = distance_pass(rows, Cells.of(np.arange(n_cells) % 3), k).neighbours
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows.astype(np.float64))
    np.testing.assert_array_equal(np.sort(found), np.sort(search.kneighbors(return_distance=False)))

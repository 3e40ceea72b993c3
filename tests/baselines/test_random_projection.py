"""The random projection that untrained twins are held against."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist

from zsgate.baselines import random_projection


def test_it_is_a_projection_of_the_log_counts(few_cells):
    """The same rows each time, those of a dense product to 1e-5, and distances kept to an eighth in the median."""
    draws, notes = random_projection.embed(few_cells)
    assert notes == {"axes": 64, "seeds": [0, 1, 2]}
    logs = np.log1p(few_cells.counts.toarray())
    for seed, (rows, again) in enumerate(zip(draws, random_projection.embed(few_cells)[0], strict=True)):
        assert (rows.dtype, rows.shape) == (np.float32, (few_cells.n_cells, 64))
        axes = np.random.default_rng(seed).standard_normal((logs.shape[1], 64), dtype=np.float32)
        np.testing.assert_allclose(rows, logs.astype(np.float64) @ axes / 8, rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(again, rows)
        assert np.median(np.abs(pdist(rows) / pdist(logs) - 1)) < 1 / 8


def test_the_order_of_cells_does_not_matter(few_cells):
    """A cell's row is the cell's own."""
    order = np.random.default_rng(0).permutation(few_cells.n_cells)
    for rows, turned in zip(
        *(random_projection.embed(d)[0] for d in (few_cells, few_cells.subset(order))), strict=True
    ):
        np.testing.assert_allclose(turned, rows[order], rtol=1e-5, atol=1e-4)

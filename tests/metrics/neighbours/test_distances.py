"""Distances come out the same however much of the embedding is held at a time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.distance_pass import distance_pass
from zsgate.metrics.neighbours import float64


@pytest.mark.parametrize("tile_bytes", [1, 8000, 100_000])
def test_factors_made_anew_give_the_same_pass(pancreas, monkeypatch, tile_bytes):
    """An embedding too wide to be held in float64 is multiplied a tile at a time: 1e-12 from all at once."""
    cells = Cells.of(pancreas.dataset)
    whole = distance_pass(pancreas.embedding, cells, 14)
    monkeypatch.setattr(float64, "FACTOR_BYTES", 100_000)
    monkeypatch.setattr(float64, "TILE_BYTES", tile_bytes)
    assert len(float64.Factors.of(pancreas.embedding).tiles) > 1
    tiled = distance_pass(pancreas.embedding, cells, 14)
    for name in ("asw", "label_widths", "batch_score"):
        np.testing.assert_allclose(getattr(tiled, name), getattr(whole, name), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.sort(tiled.neighbours, axis=1), np.sort(whole.neighbours, axis=1))


@pytest.mark.parametrize("away", [1e4, 1e8, 1e10, 1e12])
def test_a_cell_far_away_ruins_nobody_s_distances(away):
    """Scores are those of distances taken pair by pair, to 1e-6, wherever one cell lies."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    rows = (generator.normal(size=(120, 5)) + 3 * np.eye(5)[labels]).astype(np.float32)
    rows[7] = away
    wide = rows.astype(np.float64)
    pairs = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(axis=2))
    widths = silhouette_samples(pairs, labels, metric="precomputed")

    measured = distance_pass(rows, Cells.of(labels.astype(str)), 14)
    assert measured.asw[0] == pytest.approx((widths.mean() + 1) / 2, abs=1e-6)
    near = measured.neighbours
    np.fill_diagonal(pairs, np.inf)
    expected = np.sort(np.sort(pairs, axis=1)[:, :14], axis=1)
    found = np.sort(np.take_along_axis(pairs, near, axis=1), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)

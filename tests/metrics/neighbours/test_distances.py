"""Distances come out the same however much of the embedding is held at a time."""

from __future__ import annotations

import numpy as np
import pytest

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.distance_pass import distance_pass
from zsgate.metrics.neighbours import distances


@pytest.mark.parametrize("tile_bytes", [1, 8000, 100_000])
def test_factors_made_anew_give_the_same_pass(pancreas, monkeypatch, tile_bytes):
    """An embedding too wide to be held in float64 is multiplied a tile at a time: 1e-12 from all at once."""
    cells = Cells.of(pancreas.dataset)
    whole = distance_pass(pancreas.embedding, cells, 14)
    monkeypatch.setattr(distances, "FACTOR_BYTES", 100_000)
    monkeypatch.setattr(distances, "TILE_BYTES", tile_bytes)
    assert len(distances.Factors.of(pancreas.embedding).tiles) > 1
    tiled = distance_pass(pancreas.embedding, cells, 14)
    for name in ("asw", "label_widths", "batch_score"):
        np.testing.assert_allclose(getattr(tiled, name), getattr(whole, name), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.sort(tiled.neighbours, axis=1), np.sort(whole.neighbours, axis=1))

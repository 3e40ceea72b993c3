"""The model keeps the contract that a gate relies on; ten tests that come with zsgate."""

from __future__ import annotations

import numpy as np
import pytest
from zsgate.testing import AdapterContract

from isletgpt import Model, data


@pytest.fixture(scope="module")
def adapter(trained):
    return Model(checkpoint=trained[0], fingerprint="20 steps")


class TestModel(AdapterContract):
    takes_anndata = True


def test_a_hidden_count_is_not_seen(adapter):
    """Other counts where they are hidden change no prediction."""
    cells = data.judged_cells()[:8].copy()
    cells.layers["hidden"] = cells.X.astype(bool)
    cells.layers["hidden"].data[:] = np.random.default_rng(0).random(cells.X.nnz) < 0.3
    blind = cells.copy()
    blind.X.data[cells.layers["hidden"].data] = 0

    parts = list(adapter.reconstruct(blind, masked=0.3))

    assert {head for part in parts for head in part.predictions} == {"gep", "gepc"}
    for part in parts:
        assert part.masked.any()
        assert (part.target[part.masked] == 0).all()
        assert (part.target[~part.masked] > 0).all()

"""Every packaged checkpoint on a GPU, loaded from files as published, gives what it gives on the CPU."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from benchmarks.checkpoints import MAKERS
from zsgate.models import load
from zsgate.testing import some_cells

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
FLOAT32_ONLY = {"scbert_panglao", "scimilarity"}
NETWORKS = sorted(set(MAKERS) - {"gene2vec"})  # which only looks vectors up


@pytest.fixture(scope="module")
def cells():
    """Return 4 real cells."""
    if importlib.util.find_spec("hormone2cell") is None:  # importing it would need scanpy
        pytest.skip("needs hormone2cell")
    return some_cells(4)


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_and_twins_are_those_of_the_cpu(name, cells, tmp_path):
    """At the published size: in float32 within 1e-4 of the largest value, in bfloat16 by a cosine above 0.99."""
    weights = MAKERS[name](tmp_path / name, None)
    exact = {} if name in FLOAT32_ONLY else {"dtype": "float32"}
    here, there = load(name, weights=weights, **exact), load(name, weights=weights, device="cuda", **exact)
    for one, other in ((here, there), (here.random_init(0), there.random_init(0))):
        wanted = one.embed(cells)
        np.testing.assert_allclose(other.embed(cells), wanted, atol=1e-4 * np.abs(wanted).max())
    if name in FLOAT32_ONLY:
        return
    half, wanted = load(name, weights=weights, device="cuda", dtype="bfloat16").embed(cells), here.embed(cells)
    cosine = (half * wanted).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() > 0.99

"""A store of its own for each test, and a cache with one thing of every kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from annotated import annotated

from zsgate.data import read as reading
from zsgate.data.annotations import Columns
from zsgate.data.read import read_h5ad
from zsgate.system import arrays
from zsgate.system.store import Store


@pytest.fixture
def store(tmp_path):
    """Return a store in an empty folder."""
    return Store(tmp_path / "store")


@pytest.fixture
def small_is_large(monkeypatch):
    """Keep every array of more than 64 bytes in a file of its own."""
    monkeypatch.setattr(arrays, "IN_MEMORY", 64)


@pytest.fixture
def large(few_cells, tmp_path, monkeypatch):
    """Return a function that reads a file whose counts are copied into the cache."""
    monkeypatch.setattr(reading, "IN_MEMORY", 1000)
    adata = annotated(few_cells)
    adata.obs["type"] = pd.Categorical(few_cells.cell_types.astype(object))
    adata.write_h5ad(tmp_path / "cells.h5ad")
    columns = Columns(label="type", counts="X")
    return lambda: read_h5ad(tmp_path / "cells.h5ad", "cells", columns, cache=tmp_path / "cache" / "prepared")


@pytest.fixture
def root(tmp_path, monkeypatch, large):
    """Return a cache with one thing of every kind, an embedding with a large array beside it among them."""
    folder = tmp_path / "cache"
    large()
    store = Store(folder)
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "IN_MEMORY", 64)
        store.arrays("embedding", {"who": "hvg"}, lambda: ([np.ones(100)], {}))
    store.arrays("cells", {"of": "a file"}, lambda: ([np.ones(100)], {}))
    store.json("score", {"who": "hvg"}, lambda: 1)
    store.json("reconstruction", {"who": "hvg"}, lambda: 1)
    Store(folder / "runs" / "abc").json("score", {}, lambda: 1)
    for name in ("datasets/pancreas/human_pancreas.h5ad", "weights/scgpt_human/args.json", "dictionaries/genes.json"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("x" * 1000)
    return folder

"""240 real cells as an AnnData with embeddings that know their types well, fairly and not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

import zsgate
from zsgate.data.dataset import Dataset
from zsgate.run.notebook.comparison import Comparison

COLUMNS = {"label_key": "cell_type", "batch_key": "sample", "donor_key": "donor"}
QUICK = {**COLUMNS, "maps": False}


def of_cells(cells: Dataset) -> anndata.AnnData:
    """Return an AnnData with counts in X, the columns and the embeddings."""
    obs = pd.DataFrame(
        {"cell_type": cells.cell_types, "sample": cells.batches, "donor": cells.donors},
        index=cells.cell_ids.astype(object),
    )
    seen = np.asarray((cells.counts > 0).sum(axis=0)).ravel() >= 10
    var = pd.DataFrame(index=pd.Index(cells.ensembl[seen].astype(object)))
    adata = anndata.AnnData(cells.counts[:, seen].copy(), obs=obs, var=var)
    generator = np.random.default_rng(0)
    types, codes = np.unique(cells.cell_types, return_inverse=True)
    noise = generator.normal(size=(cells.n_cells, len(types)))
    adata.obsm["X_good"] = 3 * np.eye(len(types))[codes] + 0.2 * noise
    adata.obsm["X_fair"] = 3 * np.eye(len(types))[codes] + 0.8 * noise
    adata.obsm["X_noise"] = generator.normal(size=(cells.n_cells, 12))
    return adata


@pytest.fixture
def adata(few_cells: Dataset) -> anndata.AnnData:
    """Return the cells, which a test may change."""
    return of_cells(few_cells)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what is kept between the runs of these tests."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="session")
def judged(few_cells: Dataset, kept: Path) -> Callable[..., Comparison]:
    """Judge an embedding of the cells against HVG, PCA and the other embedding."""

    def judged(key: str, **settings: Any) -> Comparison:
        other = "X_good" if key == "X_noise" else "X_noise"
        given: dict[str, Any] = {"against": ["hvg", "pca", other], "name": "cells", "cache": kept, **QUICK}
        return zsgate.judge(of_cells(few_cells), key, **given | settings)

    return judged


@pytest.fixture(scope="session")
def good(judged: Callable[..., Comparison]) -> Comparison:
    """Return what is said of the embedding that knows the types."""
    return judged("X_good")


@pytest.fixture(scope="session")
def fair(judged: Callable[..., Comparison]) -> Comparison:
    """Return what is said of the embedding that knows the types fairly: it passes some tests."""
    return judged("X_fair")


@pytest.fixture(scope="session")
def noise(judged: Callable[..., Comparison]) -> Comparison:
    """Return what is said of noise."""
    return judged("X_noise")

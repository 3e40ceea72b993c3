"""Real cells with an embedding made by NumPy alone, and the same cells as a Dataset."""

from __future__ import annotations

import importlib.resources
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from zsgate.data.dataset import Dataset
from zsgate.data.preprocess import log_normalised


@dataclass(frozen=True)
class RealCells:
    """Cells of the human pancreas: 50 principal components of log-normalised counts, and what is known."""

    embedding: NDArray[np.float32]
    labels: NDArray[np.str_]
    batches: NDArray[np.str_]
    donors: NDArray[np.str_]
    dataset: Dataset


@pytest.fixture(scope="session")
def pancreas() -> RealCells:
    """Every third cell of hormone2cell's pancreas: 1,092 cells, 9 cell types, 4 studies, 20 donors."""
    import anndata

    path = importlib.resources.files("hormone2cell") / "pancreas_downsample200CT.h5ad"
    adata = anndata.read_h5ad(path)[::3]
    counts = sp.csr_matrix(adata.raw.X, dtype=np.float32)
    logs = counts.multiply(1e4 / counts.sum(axis=1)).log1p().tocsc()
    variance = np.asarray(logs.power(2).mean(axis=0)).ravel() - np.asarray(logs.mean(axis=0)).ravel() ** 2
    dense = logs[:, np.sort(np.argsort(-variance)[:500])].toarray()
    left, scale, _ = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)
    labels, batches, donors = (
        adata.obs[column].astype(str).to_numpy(str) for column in ("cell_type", "Dataset", "donor_id")
    )
    dataset = Dataset(
        name="pancreas",
        counts=counts,
        cell_ids=adata.obs_names.to_numpy(str),
        cell_types=labels,
        symbols=adata.raw.var_names.to_numpy(str),
        batches=batches,
        donors=donors,
    )
    return RealCells((left[:, :50] * scale[:50]).astype(np.float32), labels, batches, donors, dataset)


@pytest.fixture(scope="session")
def cells(pancreas: RealCells) -> Dataset:
    """Return 240 real cells of 12 donors with 600 genes."""
    whole = pancreas.dataset
    donors, sizes = np.unique(whole.donors, return_counts=True)
    largest = donors[np.argsort(-sizes, kind="stable")[:12]]
    rows = np.concatenate([np.flatnonzero(whole.donors == donor)[:20] for donor in largest])
    genes = np.argsort(-np.asarray(whole.counts[rows].sum(axis=0)).ravel(), kind="stable")[:600]
    return whole.subset(np.sort(rows)).with_genes(np.sort(genes))


@pytest.fixture(scope="module")
def some(pancreas):
    """Return every second real cell: 546 cells."""
    return pancreas.dataset.subset(np.arange(0, pancreas.dataset.n_cells, 2)), pancreas.embedding[::2]


@pytest.fixture(scope="module")
def adata(some):
    """Return the same cells as scib wants them, with scanpy's neighbour graph of the embedding."""
    import anndata
    import scanpy

    dataset, rows = some
    made = anndata.AnnData(log_normalised(dataset), obs=pd.DataFrame(index=dataset.cell_ids.astype(object)))
    made.obs["label"] = pd.Categorical(dataset.cell_types.astype(object))
    made.obs["batch"] = pd.Categorical(dataset.batches.astype(object))
    made.obsm["X_emb"] = rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scanpy.pp.neighbors(made, use_rep="X_emb", n_neighbors=15)
    return made


@pytest.fixture
def scib():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("scib")

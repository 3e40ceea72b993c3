"""An AnnData of a dataset as a user's file has it: with batches and donors, which no model is given."""

from __future__ import annotations

import anndata
import pandas as pd

from zsgate.data.dataset import Dataset


def annotated(dataset: Dataset) -> anndata.AnnData:
    """Return counts and genes with ``obs`` batch and donor."""
    adata = dataset.to_anndata(batches=True)
    if dataset.donors is not None:
        adata.obs["donor"] = pd.Categorical(dataset.donors.astype(object))
    return adata

"""A file of real cells as a lab would keep it, written and read again."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
from annotated import annotated

from zsgate.data.annotations import Columns
from zsgate.data.dataset import Dataset
from zsgate.data.read import read_h5ad, without_rare_genes


@pytest.fixture(scope="session")
def some(few_cells) -> Dataset:
    """Return the few cells with the genes that a file of them keeps."""
    return without_rare_genes(few_cells)


@pytest.fixture
def adata(some):
    """Return the few cells as an AnnData with labels and symbols, as a lab would keep it."""
    made = annotated(some)
    made.var_names = pd.Index(some.ensembl.astype(object))
    made.obs["cell_type"] = pd.Categorical(some.cell_types.astype(object))
    return made


@pytest.fixture
def usual() -> Columns:
    """Return the columns of the file."""
    return Columns(label="cell_type", batch="batch", donor="donor")


@pytest.fixture
def reread(tmp_path, usual):
    """Write an AnnData and read it as a dataset."""

    def reread(adata, columns=usual, **rest):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # anndata's own, about names that repeat
            adata.write_h5ad(tmp_path / "cells.h5ad")
        return read_h5ad(tmp_path / "cells.h5ad", "cells", columns, **rest)

    return reread

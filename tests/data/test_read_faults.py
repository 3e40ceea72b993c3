"""Every fault of a file is said in one sentence."""

from __future__ import annotations

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata.io import write_elem

from zsgate.data.annotations import Columns
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (Columns(), "which column holds the cell types? Say --label NAME; obs has batch, donor, cell_type"),
        (Columns(label="celltype"), "no column 'celltype' for --label; did you mean 'cell_type'?"),
        (Columns(label="CELL_TYPE"), "no column 'CELL_TYPE' for --label; did you mean 'cell_type'?"),
        (Columns(label="cell_type", batch="xyz"), "no column 'xyz' for --batch; obs has batch, donor, cell_type"),
        (Columns(label="cell_type", donor="doner"), "no column 'doner' for --donor; did you mean 'donor'?"),
        (Columns(label="cell_type", counts="counts"), "no counts at 'counts'; the file has X"),
        (Columns(label="cell_type", counts="raw"), "no counts at 'raw'; the file has X"),
        (Columns(label="cell_type", counts="layers/x"), "no counts at 'layers/x'; the file has X"),
    ],
)
def test_places_that_are_not_there_are_refused(adata, reread, columns, says):
    """The sentence names the file, the option and the nearest name or what there is."""
    with pytest.raises(UsageProblem) as refused:
        reread(adata, columns)
    assert str(refused.value) == f"cells.h5ad: {says}"


def halved(adata):
    adata.X = adata.X * 0.5


def negative(adata):
    adata.X.data[0] = -3


def nan(adata):
    adata.X.data[0] = np.nan


def no_x(adata):
    adata.X = None
    adata.layers["spliced"] = adata.layers["unspliced"] = sp.csr_matrix(adata.shape, dtype=np.float32)


def logged(adata):
    adata.X = adata.X.log1p()
    adata.raw = adata.copy()
    adata.layers["umis"] = adata.X.copy()


def nothing_detected(adata):
    adata.X = sp.csr_matrix(adata.shape, dtype=np.float32)


def all_unlabelled(adata):
    adata.obs["cell_type"] = pd.Series([np.nan] * adata.n_obs, index=adata.obs_names, dtype="category")


def one_label(adata):
    adata.obs["cell_type"] = "all the same"


def cells_as_labels(adata):
    adata.obs["cell_type"] = adata.obs_names.to_numpy()


def scores_as_labels(adata):
    adata.obs["cell_type"] = np.linspace(0, 1, adata.n_obs)


def twice_the_cell(adata):
    adata.obs_names = [*adata.obs_names[:-1], adata.obs_names[0]]


def twice_the_gene(adata):
    adata.var_names = [*adata.var_names[:-1], adata.var_names[0]]


def twice_the_symbol(adata):
    adata.var = adata.var[[]].set_index(adata.var["symbol"].to_numpy())
    adata.var_names = [*adata.var_names[:-1], adata.var_names[0]]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (halved, "no raw counts found: X holds numbers that are not integers ("),
        (halved, "; say with --counts where they are (the file has X)"),
        (negative, "X holds negative values (smallest -3)"),
        (nan, "X holds NaN or infinite values"),
        (no_x, "neither layers/counts nor raw nor X is there"),
        (no_x, "(the file has layers/spliced, layers/unspliced)"),
        (logged, "raw holds numbers that are not integers ("),
        (logged, "(the file has layers/umis, raw, X)"),
        (nothing_detected, "no cell has both a label and 10 detected genes"),
        (all_unlabelled, "no cell has both a label and 10 detected genes"),
        (one_label, "column 'cell_type' for --label has 1 distinct value; at least two are needed"),
        (cells_as_labels, "has 240 distinct values in 240 cells; cell types have several cells each"),
        (scores_as_labels, "column 'cell_type' for --label holds fractional numbers, not names"),
        (twice_the_cell, "1 duplicate cell names ("),
        (twice_the_gene, "1 duplicate gene names (ENSG"),
        (twice_the_symbol, "1 duplicate gene names ("),
    ],
)
def test_faults_are_said_in_one_sentence(adata, reread, spoil, says):
    """What is wrong, where, and what would do."""
    spoil(adata)
    with pytest.raises(UsageProblem) as refused:
        reread(adata)
    assert says in str(refused.value)
    assert "cells" in str(refused.value).split(":")[0]
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("spoil", "says"), [(halved, "not integers"), (negative, "negative"), (nan, "NaN")])
def test_a_place_named_by_the_user_is_checked_too(adata, reread, spoil, says):
    """--counts X with values that are no counts says so, and never looks elsewhere."""
    adata.layers["counts"] = adata.X.copy()
    spoil(adata)
    with pytest.raises(UsageProblem, match=rf"cells.h5ad \(X\): the counts hold .*{says}.*raw counts are needed"):
        reread(adata, Columns(label="cell_type", counts="X"))


def test_a_matrix_with_too_few_cells_has_no_genes(adata, reread):
    """Nine cells leave no gene that ten cells have."""
    few = adata[:9].copy()
    few.obs["cell_type"] = list("ababababa")
    with pytest.raises(UsageProblem, match="no gene is seen in 10 of its 9 cells"):
        reread(few)


def damaged(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def text(path):
    path.write_text("cell,gene\n")


def other_hdf5(path):
    with h5py.File(path, "w") as file:
        file["something"] = [1, 2]


def newer_format(path):
    with h5py.File(path, "r+") as file:
        file["obs/cell_type"].attrs["encoding-type"] = "of-the-future"


def newer_genes(path):
    with h5py.File(path, "r+") as file:
        file["var/symbol"].attrs["encoding-type"] = "of-the-future"


def damaged_indices(path):
    with h5py.File(path, "r+") as file:
        file["X/indices"][0] = 10**6


def damaged_columns(path):
    adata = anndata.read_h5ad(path)
    adata.X = adata.X.tocsc()
    adata.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        file["X/indices"][5] = 5 * 10**7


def damaged_chunk(path):
    anndata.read_h5ad(path).write_h5ad(path, compression="gzip")
    with h5py.File(path, "r") as file:
        chunk = file["X/data"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    middle = chunk.byte_offset + chunk.size // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(content)


def too_few_rows(path):
    adata = anndata.read_h5ad(path)
    with h5py.File(path, "r+") as file:
        del file["X"]
        write_elem(file, "X", adata.X[:-5].toarray())


def no_values(path):
    with h5py.File(path, "r+") as file:
        del file["X/data"]


def table_in_place_of_x(path):
    with h5py.File(path, "r+") as file:
        write_elem(file, "X", anndata.read_h5ad(path).obs)


@pytest.mark.parametrize("counts", [None, "X"])
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damaged, "not a readable .h5ad file (Unable to synchronously open file (truncated file"),
        (text, "not a readable .h5ad file"),
        (other_hdf5, "not a readable .h5ad file"),
        (newer_format, "You may need to update your installation of anndata"),
        (newer_genes, "var: column 'symbol' cannot be read ("),
        (damaged_indices, "X is no matrix of numbers (indices must be < "),
        (damaged_columns, "X is no matrix of numbers (indices must be < "),
        (damaged_chunk, "X is no matrix of numbers (Can't synchronously read data"),
        (too_few_rows, "X has 235 cells x "),
        (no_values, "X is no matrix of numbers ("),
        (table_in_place_of_x, "X is no matrix of numbers (it is stored as dataframe)"),
        (Path.unlink, "no such file"),
    ],
)
def test_files_that_are_none_are_refused(adata, tmp_path, spoil, says, counts):
    """Truncated, foreign, newer or missing files: one line with the file's name, whatever library stumbled."""
    path = tmp_path / "cells.h5ad"
    adata.write_h5ad(path)
    spoil(path)
    with pytest.raises(UsageProblem) as refused:
        read_h5ad(path, "cells", Columns(label="cell_type", counts=counts))
    assert says in str(refused.value)
    assert "cells.h5ad: " in str(refused.value)
    assert "\n" not in str(refused.value)

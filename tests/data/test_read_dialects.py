"""Every dialect of .h5ad in use gives the same dataset."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from zsgate.data.annotations import Columns, strings
from zsgate.data.read import read_h5ad


def test_a_plain_file_is_read_as_it_is(adata, some, reread):
    """Counts, names, labels, batches and donors come back; the note says where the counts were."""
    dataset = reread(adata, card={"source": "here", "notes": ["first"]}, scope="cells")
    assert (dataset.name, dataset.scope, dataset.card["source"]) == ("cells", "cells", "here")
    assert dataset.digest == some.digest
    assert dataset.card["notes"] == ["first", "counts taken from X"]
    assert dataset.symbols.tolist() == some.symbols.tolist()


def in_raw(adata):
    adata.raw = adata.copy()
    adata.X = adata.X.log1p()


def in_layer(adata):
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.log1p()


def in_layer_without_x(adata):
    adata.layers["counts"] = adata.X.copy()
    adata.X = None


def in_another_layer(adata):
    adata.layers["umis"] = adata.X.copy()
    adata.X = adata.X.log1p()


def in_raw_behind_a_log_layer(adata):
    adata.raw = adata.copy()
    adata.layers["counts"] = adata.X = adata.X.log1p()


def as_csc(adata):
    adata.X = adata.X.tocsc()


def as_dense_integers(adata):
    adata.X = adata.X.toarray().astype(np.int64)


def as_float64(adata):
    adata.X = adata.X.astype(np.float64)


def with_stored_zeros(adata):
    rows, columns = adata.X.nonzero()
    zeros = np.setdiff1d(np.arange(adata.n_vars), columns[rows == 0])[:50]
    entries = (np.append(adata.X.data, np.zeros(50)), (np.append(rows, np.zeros(50)), np.append(columns, zeros)))
    stored = sp.csr_matrix(entries, shape=adata.shape)
    assert stored.nnz == adata.X.nnz + 50
    adata.X = stored


def unsorted(adata):
    x = adata.X.tocsr()
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(x.indptr[:-1], x.indptr[1:], strict=True)])
    adata.X = sp.csr_matrix((x.data[order], x.indices[order], x.indptr), shape=x.shape)


def string_columns(adata):
    adata.obs = adata.obs.astype(str)


@pytest.mark.parametrize(
    ("write", "place"),
    [
        (in_raw, None),
        (in_raw, "raw"),
        (in_layer, None),
        (in_layer, "layers/counts"),
        (in_layer_without_x, None),
        (in_another_layer, "layers/umis"),
        (in_raw_behind_a_log_layer, None),
        (as_csc, None),
        (as_csc, "X"),
        (as_dense_integers, None),
        (as_float64, None),
        (with_stored_zeros, None),
        (unsorted, None),
        (string_columns, None),
    ],
)
def test_every_dialect_gives_the_same_dataset(adata, some, reread, write, place):
    """X, raw or a layer; CSR, CSC or dense; integers or floats; entries in any order; strings or categories."""
    write(adata)
    columns = Columns(label="cell_type", batch="batch", donor="donor", counts=place)
    assert reread(adata, columns).digest == some.digest


def test_genes_of_raw_are_its_own(adata, some, reread):
    """Counts in raw bring raw's genes, of which X has only some."""
    adata.raw = adata.copy()
    cut = adata[:, :100].copy()
    cut.X = cut.X.log1p()
    assert reread(cut).symbols.tolist() == some.symbols.tolist()


def test_reading_changes_nothing(adata, reread, tmp_path, usual):
    """The file's bytes are those that were written."""
    with_stored_zeros(adata)
    adata.write_h5ad(tmp_path / "kept.h5ad")
    before = hashlib.sha256((tmp_path / "kept.h5ad").read_bytes()).hexdigest()
    read_h5ad(tmp_path / "kept.h5ad", "kept", usual)
    assert hashlib.sha256((tmp_path / "kept.h5ad").read_bytes()).hexdigest() == before


def test_cells_without_label_batch_or_donor_are_left_out(adata, reread):
    """Missing values of any spelling drop the cell, and the card counts them column by column."""
    obs = adata.obs.astype(object)
    obs.iloc[0, obs.columns.get_loc("cell_type")] = np.nan
    obs.iloc[1, obs.columns.get_loc("donor")] = "nan"
    obs.iloc[2, obs.columns.get_loc("batch")] = ""
    obs.iloc[3, obs.columns.get_loc("cell_type")] = np.nan
    adata.obs = obs
    dataset = reread(adata)
    assert dataset.cell_ids.tolist() == adata.obs_names[4:].tolist()
    notes = dataset.card["notes"]
    for said in ("2 cells without a label", "1 cells without a donor", "1 cells without a batch"):
        assert f"{said} are left out" in notes


def test_cells_and_genes_are_filtered_as_in_the_paper(adata, reread):
    """A cell needs 10 detected genes and a gene 10 cells, counted after the cells are gone."""
    x = adata.X.tolil()
    x[:2, :] = 0
    x[0, :9] = x[1, :10] = 1
    adata.X = x.tocsr()
    dataset = reread(adata)
    assert dataset.cell_ids.tolist() == adata.obs_names[1:].tolist()
    assert "1 cells with fewer than 10 detected genes are left out" in dataset.card["notes"]
    assert np.diff(dataset.counts.tocsc().indptr).min() == 10


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1.0, 2.0, np.nan], ["1", "2", ""]),
        ([1.0, 10.0, 2.0], ["1", "10", "2"]),
        ([3, 4, 5], ["3", "4", "5"]),
        ([True, False, True], ["True", "False", "True"]),
        (pd.array([1, None, 2], dtype="Int64"), ["1", "", "2"]),
        (pd.array(["a", None, "b"], dtype="string"), ["a", "", "b"]),
        (pd.Categorical(["a", None, "NA"]), ["a", "", ""]),
        (["nan", "<NA>", "B cell"], ["", "", "B cell"]),
    ],
)
def test_columns_are_read_as_strings(values, texts):
    """Numbers, booleans, categories and missing values: whole numbers have no point, missing ones are empty."""
    assert strings(pd.Series(values)).tolist() == texts

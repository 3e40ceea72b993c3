"""What a file has in X beside its counts: read in any form, and made into the paper's HVG baseline as its code does."""

from __future__ import annotations

import importlib.resources
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr

from zsgate.baselines import hvg
from zsgate.data.annotations import Columns
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.load import load
from zsgate.data.file.matrix import by_rows
from zsgate.data.read import read_h5ad

COLUMNS = Columns(label="cell_type", batch="batch", counts="layers/counts")


def papers_hvg(adata):
    """Return the columns X_genes of the paper's notebook Baselines_HVG_and_scVI, by its own calls."""
    import scanpy as sc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scanpy's own
        sc.pp.filter_cells(adata, min_genes=10)
        sc.pp.filter_genes(adata, min_cells=10)
        sc.pp.normalize_total(adata, target_sum=1e4)
        sc.pp.log1p(adata)
        sc.pp.highly_variable_genes(adata, flavor="seurat", subset=False, n_top_genes=2000)
    return adata.X[:, adata.var["highly_variable"].to_numpy()]


def written(path, x, counts, order=None):
    """Write X and layers/counts of some cells and genes."""
    n_cells, n_genes = counts.shape
    obs = pd.DataFrame({"cell_type": ["a", "b"] * (n_cells // 2), "batch": ["1"] * n_cells})
    obs.index = [f"cell {i}" for i in range(n_cells)]
    var = pd.DataFrame(index=[f"gene {i}" for i in range(n_genes)])
    anndata.AnnData(x, obs=obs, var=var, layers={"counts": counts}).write_h5ad(path)
    return read_h5ad(path, "made", COLUMNS)


@pytest.fixture
def made(tmp_path):
    """Return 80 cells of 60 genes, X the counts times a factor of the cell, logged; and that matrix."""
    generator = np.random.default_rng(0)
    counts = sp.csr_matrix(generator.poisson(0.7, (80, 60)).astype(np.float32))
    x = sp.csr_matrix(np.log1p(counts.toarray() * generator.gamma(4, 0.3, (80, 1))), dtype=np.float32)
    return written(tmp_path / "made.h5ad", x, counts), x, counts


def test_hvg_on_x_is_the_papers_on_real_cells():
    """The same 2,000 genes and values within 2e-6 of scanpy's, on a file whose X was log-normalised by its authors."""
    card = CARDS["pancreas_hormone2cell"]
    dataset = load(card.name)
    path = importlib.resources.files("hormone2cell") / card.files[0].name
    adata = anndata.read_h5ad(path)
    assert not np.array_equal(adata.X.data, np.rint(adata.X.data))
    theirs = papers_hvg(adata)
    (rows,), notes = hvg.embed(dataset, on="X")
    assert adata.obs_names.tolist() == dataset.cell_ids.tolist()
    np.testing.assert_allclose(rows, theirs.toarray(), atol=2e-6)
    assert notes == {"genes": 2000, "computed on": f"X of {path.name}, as the paper's code does"}
    (counted,), plain = hvg.embed(dataset)
    assert plain == {"genes": 2000}
    assert abs(counted - rows).max() > 0.1


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.csr_matrix.toarray])
def test_every_form_is_read_alike(made, tmp_path, form):
    """By rows, by columns and dense, whole or some cells in another order."""
    _, x, counts = made
    dataset = written(tmp_path / "form.h5ad", form(x), counts)
    some = np.array([70, 3, 3, 41])
    for expression, expected in (
        (dataset.expression, x.toarray()),
        (dataset.subset(some[:2]).expression, x.toarray()[some[:2]]),
        (dataset.expression.subset(some), x.toarray()[some]),
    ):
        found = np.full(expected.shape, np.nan)
        for at, block in expression.blocks():
            found[at] = block.toarray()
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(dataset.expression.detection()[0], (x.toarray() > 0).sum(axis=0))


def test_x_by_columns_is_copied_once(made, tmp_path, monkeypatch):
    """Window after window, of the dataset and of cells of it, from one copy by rows; an empty X as well."""
    _, x, counts = made
    dataset = written(tmp_path / "columns.h5ad", sp.csc_matrix(x), counts)
    copies = []
    monkeypatch.setattr("zsgate.data.expression.by_rows", lambda *given: copies.append(given) or by_rows(*given))
    for start in range(0, 80, 10):
        found = dataset.expression.values(slice(start, start + 10))
        np.testing.assert_array_equal(found.toarray(), x[start : start + 10].toarray())
    some = dataset.subset(np.array([70, 3])).expression
    np.testing.assert_array_equal(some.values(slice(0, 2)).toarray(), x[[70, 3]].toarray())
    assert len(copies) == 1
    empty = written(tmp_path / "empty.h5ad", sp.csc_matrix(x.shape, dtype=np.float32), counts)
    assert empty.expression.values(slice(0, 5)).nnz == 0


@pytest.mark.filterwarnings("ignore")  # anndata's own, about formats to come
def test_a_store_that_is_changed_in_place_is_another(tmp_path, made):
    """The identity that embeddings are kept by holds the time of every file of the store, not of its folder alone."""
    _, x, counts = made
    written(tmp_path / "made.h5ad", x, counts)
    path = tmp_path / "made.zarr"
    anndata.read_h5ad(tmp_path / "made.h5ad").write_zarr(path)
    expression = read_h5ad(path, "made", COLUMNS).expression
    before = expression.identity
    assert expression.identity == before
    values = zarr.open_group(str(path), mode="r+")["X/data"]
    values[:] = values[:] * 2
    assert expression.identity != before


def test_x_stays_with_its_cells(made):
    """Cells left out of the dataset are left out of X, rare genes by what X shows; the order is the dataset's."""
    dataset, x, _ = made
    backwards = dataset.subset(np.arange(79, -1, -1))
    (forth,), _ = hvg.embed(dataset, on="X")
    (back,), _ = hvg.embed(backwards, on="X")
    np.testing.assert_allclose(back, forth[::-1], atol=1e-6)
    theirs = papers_hvg(anndata.AnnData(x.copy()))
    np.testing.assert_allclose(forth, theirs.toarray(), atol=2e-6)


@pytest.mark.parametrize(("value", "said"), [(-1.5, "negative values, for example -1.5"), (np.nan, "NaN or infinite")])
def test_what_cannot_be_logged_is_said(made, tmp_path, value, said):
    """Scaled or broken values in X: the counts are taken, in words."""
    _, x, counts = made
    x = x.copy()
    x.data[5] = value
    dataset = written(tmp_path / "scaled.h5ad", x, counts)
    (rows,), notes = hvg.embed(dataset, on="X")
    assert notes["computed on"].startswith(f"the counts, for X holds {said}")
    np.testing.assert_array_equal(rows, hvg.embed(dataset)[0][0])


def test_counts_in_x_leave_nothing_beside_them(made, tmp_path):
    """Where X is the counts there is nothing else, and the notes say so."""
    _, _, counts = made
    path = tmp_path / "counts.h5ad"
    written(path, counts, counts)
    dataset = read_h5ad(path, "made", Columns(label="cell_type", counts="X"))
    assert dataset.expression is None
    assert hvg.embed(dataset, on="X")[1]["computed on"] == "the counts, for no X beside them is at hand"

"""HVG and PCA equal scanpy on the same counts, degenerate ones too, and depend on nothing but the counts."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from zsgate.baselines import hvg, pca
from zsgate.data.counts import blocks
from zsgate.data.dataset import Dataset
from zsgate.data.preprocess import highly_variable, log_normalised
from zsgate.data.read import Columns, read_h5ad
from zsgate.metrics.robustness import perturb


def scanpys(dataset, n_top=2000):
    """Return scanpy's AnnData of the dataset: normalised, logged, with its highly variable genes."""
    import scanpy as sc

    adata = dataset.to_anndata()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scanpy's own, about duplicate bins and missing values
        sc.pp.normalize_total(adata, target_sum=1e4)
        sc.pp.log1p(adata)
        sc.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=n_top)
    return adata


def chosen(adata):
    return np.flatnonzero(adata.var["highly_variable"].to_numpy())


def made(counts):
    """Return a dataset of these counts."""
    n_cells, n_genes = np.shape(counts)
    names = np.array([f"n{i}" for i in range(max(n_cells, n_genes))])
    return Dataset("made", counts, names[:n_cells], np.array(["a", "b"] * n_cells)[:n_cells], names[:n_genes])


def assert_equals_scanpy(dataset):
    """Log-normalised values within 2e-6, the same genes, HVG their values, PCA in float64 within 2e-5, up to sign."""
    import scanpy as sc

    theirs = scanpys(dataset)
    logged = log_normalised(dataset)
    assert abs(logged - theirs.X).max() < 2e-6
    genes = highly_variable(dataset)
    np.testing.assert_array_equal(genes, chosen(theirs))
    (rows,), notes = hvg.embed(dataset)
    assert (notes["genes"], rows.dtype) == (len(genes), np.float32)
    np.testing.assert_allclose(rows, theirs.X[:, genes].toarray(), atol=2e-6)
    cut = theirs[:, genes].copy()
    cut.X = logged[:, genes].astype(np.float64)
    sc.pp.pca(cut, n_comps=50, svd_solver="arpack", dtype="float64")
    (rows,), notes = pca.embed(dataset)
    known = cut.obsm["X_pca"]
    assert (notes["components"], rows.dtype) == (50, np.float32)
    sign = np.sign((known * rows).sum(axis=0))
    assert known[:, 0].std() > 5
    np.testing.assert_allclose(rows, known * sign, atol=2e-5)


def test_both_equal_scanpy_on_real_cells(pancreas):
    """On 1,500 pancreas cells of four studies, library sizes a hundredfold apart."""
    assert_equals_scanpy(pancreas)


@pytest.mark.parametrize("name", ["panc8_small", "zheng_purified_500", "sc_mixology_5batches"])
def test_both_equal_scanpy_on_other_cells(shared_data, name):
    """Fewer than 2,000 genes, shallow droplets, deep plates."""
    path = shared_data / "data" / f"{name}.h5ad"
    assert_equals_scanpy(read_h5ad(path, name, Columns(label="cell_type", batch="batch")))


POISSON = np.random.default_rng(0).poisson(0.5, (80, 300))


@pytest.mark.parametrize(
    "counts",
    [
        np.vstack([np.zeros((1, 300)), POISSON]),
        np.hstack([np.zeros((80, 5)), POISSON]),
        np.hstack([POISSON, 500 + POISSON[:, :1]]),
        np.random.default_rng(1).poisson(2, (60, 3)),
        np.random.default_rng(1).poisson(2, (60, 2)),
    ],
    ids=["an empty cell", "genes of no cell", "one gene with most counts", "three genes", "two genes"],
)
def test_genes_are_scanpys_on_degenerate_counts(counts):
    """Empty cells, unexpressed genes, bins of one gene: the same genes, and no warning of ours."""
    dataset = made(counts)
    np.testing.assert_array_equal(highly_variable(dataset, 2000), chosen(scanpys(dataset)))


def test_constant_genes_are_never_chosen():
    """A gene with the same share in every cell has a variance of rounding errors, above or below zero."""
    counts = np.hstack([np.full((60, 4), 7), np.tile([[1, 2], [2, 1]], (30, 1))])
    assert highly_variable(made(counts)).tolist() == [4, 5]
    with pytest.raises(ValueError, match="no gene stands out"):
        highly_variable(made(np.full((60, 4), 7)))


def test_an_empty_cell_stays_zero():
    """A cell without counts is a row of zeros for HVG and finite for PCA."""
    dataset = made(np.vstack([np.zeros((1, 300)), POISSON]))
    (rows,), _ = hvg.embed(dataset)
    assert not rows[0].any()
    assert np.isfinite(pca.embed(dataset)[0][0]).all()


@pytest.mark.parametrize(("shape", "components"), [((60, 3), 3), ((20, 300), 19)])
def test_few_genes_or_cells_have_few_components(shape, components):
    """PCA has no more components than genes, and one fewer than cells."""
    counts = np.random.default_rng(2).poisson(2, shape)
    (rows,), notes = pca.embed(made(counts))
    assert (rows.shape[1], notes["components"]) == (components, components)


@pytest.mark.parametrize("baseline", [hvg, pca])
def test_rows_follow_the_cells(few_cells, baseline):
    """Cells in another order give the same rows in that order, up to rounding; the same cells the same bits."""
    (rows,), _ = baseline.embed(few_cells)
    (again,), _ = baseline.embed(few_cells)
    np.testing.assert_array_equal(rows, again)
    order = np.random.default_rng(0).permutation(few_cells.n_cells)
    (permuted,), _ = baseline.embed(few_cells.subset(order))
    np.testing.assert_allclose(permuted, rows[order], atol=1e-3)


@pytest.mark.parametrize("baseline", [hvg, pca])
def test_labels_are_not_looked_at(few_cells, baseline):
    """Other labels, batches and donors change no bit."""
    swapped = replace(few_cells, cell_types=few_cells.cell_types[::-1], batches=None, donors=None)
    np.testing.assert_array_equal(baseline.embed(swapped)[0][0], baseline.embed(few_cells)[0][0])


def test_blocks_change_nothing(pancreas, monkeypatch):
    """Cells taken a few at a time give the genes and, up to rounding, the components of all cells at once."""
    genes, (rows,), (components,) = highly_variable(pancreas), hvg.embed(pancreas)[0], pca.embed(pancreas)[0]
    monkeypatch.setattr("zsgate.data.counts.BLOCK", 100_000)
    assert len(list(blocks(pancreas.counts))) > 10
    np.testing.assert_array_equal(highly_variable(pancreas), genes)
    np.testing.assert_array_equal(hvg.embed(pancreas)[0][0], rows)
    np.testing.assert_allclose(pca.embed(pancreas)[0][0], components, atol=2e-5)


@pytest.mark.parametrize("baseline", [hvg, pca])
def test_what_was_learnt_is_applied_to_poorer_cells(few_cells, baseline):
    """To the same cells it gives the same bits; to poorer ones the genes and axes of the former, row by row."""
    kept = []
    draws, _ = baseline.embed(few_cells, keep=kept.extend)
    np.testing.assert_array_equal(baseline.project(kept, few_cells), draws)
    poorer = perturb.depth(few_cells)
    (rows,) = baseline.project(kept, poorer)
    (alone,) = baseline.project(kept, poorer.subset(np.arange(3, 5)))
    np.testing.assert_allclose(alone, rows[3:5], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(kept[0], highly_variable(few_cells))
    logs = log_normalised(poorer, kept[0]).toarray()
    expected = logs if baseline is hvg else (logs.astype(float) - kept[1]) @ kept[2]
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-5)
    assert not np.allclose(rows, baseline.embed(poorer)[0][0])

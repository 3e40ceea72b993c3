"""The paper's presets read what the file has in X beside its counts, as the paper's code did."""

from __future__ import annotations

import importlib.resources
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from zsgate.data.annotations import Columns
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.data.read import read_h5ad
from zsgate.models.adapter import Adapter
from zsgate.models.families.scgpt.paper_genes import choose_genes
from zsgate.models.pretrained.paper_input import PaperInput, describe_input

Make = Callable[..., Adapter]
CARD = CARDS["pancreas_hormone2cell"]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Return real cells, not in the order of their file, which has log-normalised values in X."""
    whole = load(CARD.name)
    return whole.subset(np.random.default_rng(0).permutation(whole.n_cells)[:400])


@pytest.fixture(scope="module")
def in_file(dataset: Dataset) -> anndata.AnnData:
    """Return these cells and genes of the file, read by anndata."""
    with importlib.resources.as_file(importlib.resources.files("hormone2cell") / CARD.files[0].name) as path:
        adata = anndata.read_h5ad(path)
    names = dataset.symbols if set(dataset.symbols.tolist()) <= set(adata.var_names) else dataset.ensembl
    return adata[dataset.cell_ids.tolist(), list(names)].copy()


def test_rows_are_those_of_the_file(dataset: Dataset, in_file: anndata.AnnData) -> None:
    """Cells and genes of X are in the dataset's order, and no count."""
    papers = PaperInput.of(dataset)
    assert papers is not None
    for start, stop in ((0, 3), (3, 400)):
        rows = papers.rows(start, stop)
        assert (rows.dtype, rows.indices.dtype) == (np.float32, np.int32)
        np.testing.assert_array_equal(rows.toarray(), in_file.X[start:stop].toarray().astype(np.float32))
    assert not np.array_equal(rows.data, np.rint(rows.data))
    assert describe_input(dataset) == f"X of {CARD.files[0].name}, as the paper's code does"


def test_geneformer_ranks_what_is_in_x(dataset: Dataset, in_file: anndata.AnnData, tiny_geneformer: Make) -> None:
    """With the paper's preset values fall along the tokens, divided by their medians; counts are ranked otherwise."""
    model = tiny_geneformer(preset="paper")
    tokens = model._tokeniser(dataset)(0, 50)
    medians = model.genes.median_of_token
    for cell in range(50):
        run = slice(tokens.offsets[cell], tokens.offsets[cell + 1])
        values = in_file.X[cell].toarray().ravel()[tokens.columns[run]] / medians[tokens.ids[run]]
        assert (np.diff(values) <= 0).all()
        assert (values > 0).all()
    counted = replace(model, preset="official")._tokeniser(dataset)(0, 50)
    assert not np.array_equal(counted.ids, tokens.ids)
    assert model.reads(dataset) == describe_input(dataset)
    assert replace(model, preset="official").reads(dataset) == ""


def test_scgpt_s_genes_are_the_papers(dataset: Dataset, in_file: anndata.AnnData) -> None:
    """The 1,200 variable genes are those that the paper's own calls choose on X."""
    import scanpy as sc

    known = np.arange(len(dataset.symbols)) % 10 > 0  # a vocabulary that lacks every tenth gene
    theirs = in_file[:, known].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scanpy's, on values that are no counts
        sc.pp.filter_genes(theirs, min_counts=3)
        sc.pp.highly_variable_genes(theirs, n_top_genes=1200, flavor="seurat_v3", subset=True)
    ours = choose_genes(dataset, known)
    names = np.array(in_file.var_names)
    assert set(names[ours]) == set(theirs.var_names)
    assert set(names[choose_genes(replace(dataset, expression=None), known)]) != set(theirs.var_names)


def test_without_x_the_counts_are_read(dataset: Dataset, tiny_geneformer: Make) -> None:
    """Where no X is at hand the paper's preset reads counts, and says so."""
    bare = replace(dataset, expression=None)
    model = tiny_geneformer(preset="paper")
    official = replace(model, preset="official")
    np.testing.assert_array_equal(model._tokeniser(bare)(0, 9).ids, official._tokeniser(bare)(0, 9).ids)
    assert model.reads(bare) == "the counts, for no X beside them is at hand"


def test_genes_are_matched_by_symbol_where_one_side_has_no_ids(dataset: Dataset, tmp_path: Path) -> None:
    """Counts in raw with Ensembl ids, X with symbols alone: the same values under the same genes."""
    some = dataset.subset(np.arange(60))
    counts = some.to_anndata()
    symbols = np.array([f"G{i}" for i in range(counts.n_vars)])
    counts.var_names = [f"ENSG{i:011d}" for i in range(counts.n_vars)]
    counts.var = counts.var[[]].assign(feature_name=symbols)
    order = np.random.default_rng(0).permutation(counts.n_vars)
    adata = anndata.AnnData(counts.X.log1p()[:, order], obs=counts.obs, var=pd.DataFrame(index=symbols[order]))
    adata.raw = counts
    adata.obs["cell_type"] = some.cell_types
    adata.write_h5ad(tmp_path / "x.h5ad")
    made = read_h5ad(tmp_path / "x.h5ad", "x", Columns(label="cell_type"))
    assert made.ensembl is not None
    papers = PaperInput.of(made)
    assert papers is not None
    np.testing.assert_allclose(papers.rows(0, 60).toarray(), np.log1p(made.counts.toarray()), rtol=1e-6)

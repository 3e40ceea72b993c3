"""Metrics called with an AnnData, and with what is neither that nor an embedding."""

from __future__ import annotations

import time
from typing import Any

import anndata
import numpy as np
import pytest

from conftest import COLUMNS
from zsgate.errors import UsageProblem
from zsgate.metrics import asw, knn_mixing, nmi, pcr_comparison


def test_it_is_the_metric_of_rows_and_labels(adata: anndata.AnnData) -> None:
    """The value of arrays, where no cell is left out."""
    rows, obs = adata.obsm["X_fair"], adata.obs
    score = asw(adata, "X_fair", label_key="cell_type", donor_key="donor")
    assert score.value == asw(rows, obs["cell_type"].to_numpy(str), donors=obs["donor"].to_numpy(str)).value
    assert len(score.units) == 12


def test_cells_without_a_label_are_left_out(adata: anndata.AnnData) -> None:
    """As a run leaves them out."""
    some = np.arange(adata.n_obs) % 5 > 0
    adata.obs["some"] = adata.obs["cell_type"].where(some)
    labels = adata.obs["cell_type"].to_numpy(str)[some]
    assert asw(adata, "X_fair", label_key="some").value == asw(adata.obsm["X_fair"][some], labels).value


def test_counts_are_there_for_who_needs_them(adata: anndata.AnnData) -> None:
    """Principal components of the counts are compared with."""
    assert np.isfinite(pcr_comparison(adata, "X_fair", **COLUMNS).value)


def test_dense_expression_is_an_embedding(adata: anndata.AnnData) -> None:
    """X that holds no counts, with the counts in a layer."""
    adata.layers["counts"] = adata.X.copy()
    adata.X = np.log1p(adata.X.toarray())
    assert 0 < asw(adata, "X", label_key="cell_type").value < 1


def test_a_key_that_is_called_x_is_taken(adata: anndata.AnnData) -> None:
    """Before the matrix of that name."""
    adata.obsm["X"] = adata.obsm["X_fair"]
    assert asw(adata, "X", label_key="cell_type").value == asw(adata, "X_fair", label_key="cell_type").value


@pytest.mark.parametrize("dense", [False, True])
def test_counts_are_no_embedding(adata: anndata.AnnData, dense: bool) -> None:
    """Refused at once: NumPy would go through an AnnData a cell and a gene at a time."""
    if dense:
        adata.X = adata.X.toarray()
    began = time.process_time()
    with pytest.raises(UsageProblem, match="X holds the counts" if dense else "X is no dense matrix"):
        asw(adata, "X", label_key="cell_type")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("given", "said", "words"),
    [
        (("ADATA",), {}, "asw: an AnnData needs the key of obsm that holds the embedding, as in asw(adata, 'X_pca'"),
        (("ADATA", np.ones(3)), {}, "asw: an AnnData needs the key of obsm"),
        (("ADATA", "X"), {}, "asw: label_key is needed, the column of obs that holds the cell types"),
        (("ADATA", "X_fair"), {"label_key": "cell_type", "donors": [1]}, "asw: donors go with an array of labels"),
        (("X_fair", "cell_type"), {}, "asw: the embedding must be an Embedding or an array of rows, not a str"),
        ((np.ones((3, 2)), "cell_type"), {}, "asw: labels must be a Dataset or the label of each cell, not a str"),
        ((np.ones((3, 2)), "ADATA"), {}, "labels must be a Dataset or the label of each cell, not a AnnData"),
        ((np.ones((3, 2)),), {}, "labels must be a Dataset or the label of each cell, not a NoneType"),
        ((np.ones((3, 2)), "abc"), {"label_key": "x"}, "asw: label_key is for an AnnData, and the embedding is a"),
        ((np.ones((3, 2)), [1, 1, 2]), {"donor": "x"}, "asw: unknown argument 'donor'; did you mean 'donors'?"),
    ],
)
def test_what_does_not_go_together_is_a_type_error(
    adata: anndata.AnnData, given: tuple[Any, ...], said: dict[str, Any], words: str
) -> None:
    """At once, in a sentence."""
    with pytest.raises(TypeError) as error:
        asw(*(adata if isinstance(each, str) and each == "ADATA" else each for each in given), **said)
    assert words in str(error.value)


def test_columns_and_rows_are_refused_as_a_run_refuses_them(adata: anndata.AnnData) -> None:
    """Columns that are not there, and a metric that needs batches."""
    with pytest.raises(UsageProblem, match="no column 'celltype'; did you mean 'cell_type'"):
        nmi(adata, "X_fair", label_key="celltype")
    with pytest.raises(ValueError, match="knn_mixing needs the batch of each cell"):
        knn_mixing(adata, "X_fair", label_key="cell_type")

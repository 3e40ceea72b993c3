"""Metrics on request: parity with scib, scib-metrics and scikit-learn, and leave-outs by physical removal."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from zsgate.data.preprocess import log_normalised
from zsgate.metrics import (
    METRICS,
    avg_batch,
    bras,
    graph_connectivity,
    isolated_labels,
    label_transfer,
    pcr,
    pcr_comparison,
)
from zsgate.metrics.embedding.pcr import explained
from zsgate.metrics.neighbours.knn import Neighbours

OWN = ("graph_connectivity", "label_transfer", "isolated_labels", "bras", "pcr")


@pytest.fixture(scope="module")
def some(pancreas):
    """Return every second real cell: 546 cells."""
    return pancreas.dataset.subset(np.arange(0, pancreas.dataset.n_cells, 2)), pancreas.embedding[::2]


@pytest.fixture(scope="module")
def adata(some):
    """Return the same cells as scib wants them, with scanpy's neighbour graph of the embedding."""
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_scib_s_own_values(some, adata, scib):
    """graph_connectivity to 1e-12, isolated labels to 1e-6, PCR of 50 dimensions to 1e-6 of scib 1.1.7."""
    dataset, rows = some
    assert graph_connectivity(rows, dataset).value == pytest.approx(
        scib.metrics.graph_connectivity(adata, label_key="label"), abs=1e-12
    )
    theirs = scib.metrics.isolated_labels_asw(adata, "label", "batch", embed="X_emb", verbose=False)
    assert isolated_labels(rows, dataset).value == pytest.approx(theirs, abs=1e-6)
    theirs = scib.metrics.pcr(adata, covariate="batch", embed="X_emb", n_comps=50)
    assert pcr(rows, dataset).value == pytest.approx(theirs, abs=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pcr_of_more_dimensions_than_components(some, adata, scib):
    """Of 120 dimensions the first 50 components count; scib's value to 1e-4, PCR comparison with the counts too."""
    dataset, _ = some
    wide = log_normalised(dataset)[:, :120].toarray()
    adata.obsm["X_wide"] = wide
    theirs = scib.metrics.pcr(adata, covariate="batch", embed="X_wide", n_comps=50)
    assert pcr(wide, dataset).value == pytest.approx(theirs, abs=1e-4)
    theirs = scib.metrics.pcr_comparison(adata, adata, covariate="batch", embed="X_emb", n_comps=50)
    assert pcr_comparison(adata.obsm["X_emb"], replace(dataset, donors=None)).value == pytest.approx(theirs, abs=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_avg_batch_is_the_papers(some, adata, scib):
    """The mean of scib's PCR comparison with X and its batch silhouette, as Kedzierska et al. 2025 define it; 1e-3."""
    dataset, rows = some
    cleared = scib.metrics.pcr_comparison(adata, adata, covariate="batch", embed="X_emb", n_comps=50, scale=True)
    mixed = scib.metrics.silhouette_batch(adata, "batch", "label", embed="X_emb", verbose=False)
    ours = avg_batch(rows, replace(dataset, donors=None))
    assert ours.value == pytest.approx((cleared + mixed) / 2, abs=1e-3)
    assert abs(cleared - mixed) > 0.05  # neither alone would do


@pytest.mark.parametrize("n_dimensions", [30, 120])
def test_pcr_from_products_is_pcr_of_the_cells(some, n_dimensions):
    """Sums and products less those of a donor give what the cells that remain give; to 1e-9."""
    dataset, _ = some
    sparse = log_normalised(dataset)[:, :n_dimensions]
    batches = np.unique(dataset.batches, return_inverse=True)[1]
    score = pcr(1000 + sparse.toarray().astype(np.float64), dataset)  # far from the origin
    assert score.value == pytest.approx(explained(sparse, batches), abs=1e-6)
    score = pcr(sparse.toarray(), dataset)
    assert score.value == pytest.approx(explained(sparse, batches), abs=1e-9)
    for unit in (0, 7, 19):
        rest = np.flatnonzero(dataset.donors != score.units[unit])
        assert score.leave_outs[unit] == pytest.approx(explained(sparse[rest], batches[rest]), abs=1e-9), unit


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("scib_metrics") is None, reason="scib-metrics is not installed")
def test_bras_is_that_of_scib_metrics(some):
    """To 1e-4 on real cells: theirs is computed in float32, and cells at the origin can cost it 0.04."""
    import scib_metrics

    dataset, rows = some
    theirs = scib_metrics.metrics.bras(rows, dataset.cell_types, dataset.batches)
    assert bras(rows, dataset).value == pytest.approx(float(theirs), abs=1e-4)


def test_label_transfer_is_a_classifier_without_the_own_donor(some):
    """scikit-learn's 15 nearest neighbours, fitted on the other donors, give the same macro F1."""
    dataset, rows = some
    said = np.empty_like(dataset.cell_types)
    for donor in np.unique(dataset.donors):
        own = dataset.donors == donor
        classifier = KNeighborsClassifier(15, algorithm="brute").fit(rows[~own], dataset.cell_types[~own])
        said[own] = classifier.predict(rows[own])
    pairs = {(label, donor) for label, donor in zip(dataset.cell_types, dataset.donors, strict=True)}
    shared = [label for label in np.unique(dataset.cell_types) if sum(pair[0] == label for pair in pairs) >= 2]
    theirs = f1_score(dataset.cell_types, said, labels=shared, average="macro", zero_division=0)
    assert label_transfer(rows, dataset).value == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("name", OWN)
def test_leave_outs_are_the_values_of_who_remains(name, some):
    """Exactly what the metric gives when a donor's cells were never there."""
    dataset, rows = some
    score = METRICS[name](rows, dataset)
    units = np.array(score.units)
    assert len(units) == 20
    for unit in (0, 7, 19):
        remaining = np.flatnonzero(dataset.donors != units[unit])
        alone = METRICS[name](rows[remaining], dataset.subset(remaining))
        assert score.leave_outs[unit] == pytest.approx(alone.value, abs=1e-9), unit


def test_noise_is_told_from_signal(some):
    """Noise carries no labels and wins what only asks for mixing, as the cards say."""
    dataset, rows = some
    noise = np.random.default_rng(0).normal(size=rows.shape).astype(np.float32)
    ours, dead = ({name: METRICS[name](each, dataset).value for name in OWN} for each in (rows, noise))
    assert dead["label_transfer"] < 0.3 < 0.6 < ours["label_transfer"]
    assert dead["isolated_labels"] < ours["isolated_labels"] + 0.05
    assert dead["bras"] > 0.9
    assert dead["pcr"] < 0.05 < ours["pcr"]


def test_neighbours_are_exact_also_of_foreign_units(some):
    """By brute force, for any mask, with and without the own donor's cells."""
    dataset, rows = some
    units = np.unique(dataset.donors, return_inverse=True)[1]
    distances = np.linalg.norm(rows[:, None].astype(float) - rows[None].astype(float), axis=2)
    np.fill_diagonal(distances, np.inf)
    for foreign in (None, units):
        allowed = distances if foreign is None else np.where(units[:, None] == units, np.inf, distances)
        nearest = Neighbours(rows, 10, foreign)
        for mask in (np.ones(len(rows), bool), units != 3, units < 2):
            found, there = nearest.among(mask)
            expected = np.argsort(allowed[np.ix_(mask, mask)], axis=1, kind="stable")[:, : found.shape[1]]
            np.testing.assert_array_equal(
                np.where(there, found, -1), np.where(there, np.flatnonzero(mask)[expected], -1)
            )
            assert there.sum() == min(10, mask.sum() - 1) * mask.sum() or foreign is not None


def test_what_a_metric_needs_is_said(some):
    """Without donors there is no transfer, without a Dataset no counts."""
    dataset, rows = some
    with pytest.raises(ValueError, match="label_transfer needs the donor"):
        label_transfer(rows, dataset.cell_types)
    with pytest.raises(ValueError, match="pass the Dataset"):
        pcr_comparison(rows, dataset.cell_types, batches=dataset.batches)


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.on_request])
def test_what_runs_on_request_is_advisory(metric):
    """A metric nobody asked for decides nothing, and its card says how it fails."""
    assert metric.advisory
    assert len(metric.card) > 150


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("scib_metrics") is None, reason="scib-metrics is not installed")
@pytest.mark.parametrize(("name", "k"), [("ilisi", 90), ("clisi", 90), ("kbet", 50)])
def test_scib_metrics_gets_the_exact_neighbours(some, name, k):
    """With everybody and without a donor what scib-metrics gives, there on scikit-learn's neighbours.

    To 1e-4; kBET, whose own search is approximate, to 0.02.
    """
    import scib_metrics
    from scib_metrics.nearest_neighbors import NeighborsResults
    from sklearn.neighbors import NearestNeighbors

    dataset, rows = some
    thirds = np.array(["a", "b", "c"])[np.unique(dataset.donors, return_inverse=True)[1] % 3]
    whole = METRICS[name](rows, replace(dataset, donors=thirds))
    rest = np.flatnonzero(thirds != "b")
    alone = METRICS[name](rows[rest], replace(dataset.subset(rest), donors=None)).value
    assert whole.leave_outs[1] == pytest.approx(alone, abs=0.02 if name == "kbet" else 1e-5)

    labels, batches = (np.unique(column, return_inverse=True)[1] for column in (dataset.cell_types, dataset.batches))
    distances, indices = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors(rows)
    results = NeighborsResults(indices.astype(np.int32), distances.astype(np.float32))
    theirs = {
        "ilisi": lambda: scib_metrics.ilisi_knn(results, batches),
        "clisi": lambda: scib_metrics.clisi_knn(results, labels),
        "kbet": lambda: scib_metrics.kbet_per_label(results, batches, labels),
    }[name]()
    ours = METRICS[name](rows, dataset.cell_types, batches=dataset.batches).value
    assert ours == pytest.approx(float(theirs), abs=0.02 if name == "kbet" else 1e-4)

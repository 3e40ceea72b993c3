"""What metrics say of each cell type alone: the same as of its cells, or of its clusters, by other code."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from zsgate.baselines import pca
from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.metrics import METRICS, asw, knn_mixing, nmi
from zsgate.metrics.cells import Cells
from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
from zsgate.metrics.embedding.distance_pass import pass_of_draw
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import DEFAULT


@pytest.fixture(scope="module")
def cells() -> Dataset:
    """Return half of the quick tier's cells."""
    whole = load("pancreas_quick")
    return whole.subset(np.arange(0, whole.n_cells, 2))


@pytest.fixture(scope="module")
def embedded(cells: Dataset) -> Embedding:
    """Return the cells' components."""
    return Embedding.of(pca.embed(cells)[0][0])


def test_asw_of_a_type_is_its_cells_mean(embedded: Embedding, cells: Dataset) -> None:
    """As scikit-learn has each cell's silhouette, and weighted by cells the types give the whole."""
    widths = silhouette_samples(embedded.draws[0].astype(np.float64), cells.cell_types)
    types, of, sizes = np.unique(cells.cell_types, return_inverse=True, return_counts=True)
    found = asw(embedded, cells)
    expected = (np.bincount(of, widths) / sizes + 1) / 2
    np.testing.assert_allclose(found.by_type, expected, atol=1e-8)
    assert len(found.by_type) == len(types)
    assert np.average(found.by_type, weights=sizes) == pytest.approx(found.value, abs=1e-8)


def test_f1_of_a_type_is_that_of_its_best_cluster(embedded: Embedding, cells: Dataset) -> None:
    """Of all clusters of all partitions, counted one by one."""
    neighbours = pass_of_draw(embedded, Cells.of(cells), DEFAULT, 0).neighbours
    graph = NeighbourGraph.of(embedded.draws[0], neighbours)
    partitions = [np.asarray(graph.partition(resolution, 0)) for resolution in DEFAULT.resolutions]
    clusters = [partition == cluster for partition in partitions for cluster in np.unique(partition)]
    best = []
    for kind in np.unique(cells.cell_types):
        truth = cells.cell_types == kind
        best.append(max(2 * (truth & found).sum() / (truth.sum() + found.sum()) for found in clusters))
    np.testing.assert_allclose(nmi(embedded, cells, seeds=1).by_type, best, atol=1e-12)


def test_mixing_of_a_type_is_that_of_its_cells(embedded: Embedding, cells: Dataset) -> None:
    """By its definition, cell by cell: shares of the nearest cells of other donors, taken of a batch as a whole."""
    rows, found = embedded.draws[0].astype(np.float64), knn_mixing(embedded, cells).by_type
    kinds = np.unique(cells.cell_types)
    for place, kind in enumerate(kinds):
        shares: dict[str, list[tuple[float, float]]] = {}
        for cell in np.flatnonzero(cells.cell_types == kind):
            strangers = np.flatnonzero(cells.donors != cells.donors[cell])
            alike = strangers[cells.cell_types[strangers] == kind]
            expected = np.mean(cells.batches[alike] != cells.batches[cell])
            if not 0 < expected < 1:
                continue
            n_nearest = int(np.clip(len(alike) // 4, 1, 30))
            order = np.argsort(((rows[strangers] - rows[cell]) ** 2).sum(axis=1), kind="stable")[:n_nearest]
            nearest = strangers[order]
            same = cells.cell_types[nearest] == kind
            other = np.mean(same & (cells.batches[nearest] != cells.batches[cell]))
            shares.setdefault(cells.batches[cell], []).append((same.mean(), other / expected))
        n_cells = sum(map(len, shares.values()))
        if n_cells < 10:
            assert found[place] is None
            continue
        sums = [np.sum(pairs, axis=0) / n_cells for pairs in shares.values()]
        assert found[place] == pytest.approx(sum(max(0, p - abs(p - o)) for p, o in sums), abs=1e-9)
    assert sum(value is not None for value in found) >= 5


def test_other_metrics_say_nothing_of_types(embedded: Embedding, cells: Dataset) -> None:
    """And an array of labels without batches is scored all the same."""
    assert METRICS["ari"](embedded, cells).by_type == ()
    assert len(asw(embedded, cells.cell_types).by_type) == len(np.unique(cells.cell_types))

"""Random halves are the same for the same cells, and scored as if there were no other cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

from zsgate.data.dataset import Dataset
from zsgate.metrics import DEFAULT, METRICS, ari, asw, avg_bio, batch_score, knn_mixing, knn_purity, nmi
from zsgate.metrics.cells import SPLITS, Cells
from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
from zsgate.metrics.embedding.distance_pass import distance_pass
from zsgate.models.embedding import Embedding


def toy(order, names="abcdefgh", **rest) -> Dataset:
    """Return 240 cells of 8 donors and 3 cell types in some order."""
    import scipy.sparse as sp

    rng = np.random.default_rng(3)
    donors, types = rng.integers(0, 8, 240), rng.integers(0, 3, 240)
    return Dataset(
        name="toy",
        counts=sp.csr_matrix(np.ones((240, 2), dtype=np.float32)),
        cell_ids=np.array([f"cell {i:03d}" for i in range(240)])[order],
        cell_types=np.array(list("xyz"))[types][order],
        symbols=np.array(["A", "B"]),
        donors=np.array(list(names))[donors][order],
        **rest,
    )


ROWS = np.random.default_rng(4).normal(size=(240, 5)).astype(np.float32)


@pytest.mark.parametrize("metric", [nmi, ari, avg_bio])
def test_a_half_scores_as_it_would_alone(pancreas, metric):
    """The value in a half is that of the cells that are physically left, split s clustered with seed s."""
    score = metric(pancreas.embedding, pancreas.dataset, seeds=1)
    found = score.unit_halves
    for split, pair in enumerate(Cells.of(pancreas.dataset).halves[:2]):
        for half, value in zip(pair, found[split], strict=True):
            alone = metric(pancreas.embedding[half], pancreas.labels[half], seeds=split + 1)
            assert value == pytest.approx(alone.draws[split], abs=1e-7)


@pytest.mark.parametrize("metric", [asw, batch_score, knn_mixing, knn_purity])
def test_a_half_scores_as_it_would_alone_without_clusters(pancreas, metric):
    """All halves come from the pass over all cells, and have the values of the cells that are physically left."""
    found = metric(pancreas.embedding, pancreas.dataset).unit_halves
    splits = Cells.of(pancreas.dataset).halves
    assert len(found) == len(splits) == 20
    for pair, values in list(zip(splits, found, strict=True))[::7]:
        for half, value in zip(pair, values, strict=True):
            known = {"batches": pancreas.batches[half], "donors": pancreas.donors[half]}
            assert value == pytest.approx(
                metric(pancreas.embedding[half], pancreas.labels[half], **known).value, abs=1e-6
            )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_half_that_loses_labels_scores_the_rest(seed):
    """Where labels and batches belong to single donors, a half is still scored as its cells alone would be."""
    rng = np.random.default_rng(seed)
    donors = rng.integers(0, 6, 90)
    labels, batches = np.minimum(donors, rng.integers(0, 6, 90)), donors // 2
    rows = (rng.normal(size=(90, 4)) + labels[:, None]).astype(np.float32)
    score = avg_bio(rows, labels, batches=batches, donors=donors, seeds=1)
    first = Cells.of(labels, batches, donors).halves[0]
    for half, value in zip(first, score.unit_halves[0], strict=True):
        if len(np.unique(labels[half])) < 2:
            assert np.isnan(value)
        else:
            alone = avg_bio(rows[half], labels[half], batches=batches[half], seeds=1)
            assert value == pytest.approx(alone.value, abs=1e-12)


def test_a_half_equals_scikit_learn(pancreas):
    """Within 1e-6 (silhouette) and 1e-12 (nmi, ari) of scikit-learn on the cells and the partition of one half."""
    half = Cells.of(pancreas.dataset).halves[0][0]
    rows, labels = pancreas.embedding[half], pancreas.labels[half]
    graph = NeighbourGraph.of(rows, distance_pass(rows, Cells.of(labels), 14).neighbours)
    sweep = [graph.partition(resolution, 0) for resolution in DEFAULT.resolutions]
    best = max(sweep, key=lambda part: normalized_mutual_info_score(labels, part))
    of_nmi, of_ari, of_all = (
        m(pancreas.embedding, pancreas.dataset, seeds=1).unit_halves[0][0] for m in (nmi, ari, avg_bio)
    )
    assert of_nmi == pytest.approx(normalized_mutual_info_score(labels, best), abs=1e-12)
    assert of_ari == pytest.approx(adjusted_rand_score(labels, best), abs=1e-12)
    silhouette = (silhouette_score(rows.astype(np.float64), labels) + 1) / 2
    assert 3 * of_all - of_nmi - of_ari == pytest.approx(silhouette, abs=1e-6)


@pytest.mark.parametrize("metric", [nmi, avg_bio])
def test_order_and_donors_names_change_no_half(metric):
    """Permuted cells and renamed donors: the same halves score the same, so the verdict is the same."""
    before = metric(ROWS, toy(np.arange(240)), seeds=1)
    order = np.random.default_rng(5).permutation(240)
    after = metric(ROWS[order], toy(order, names="hcaebgdf"), seeds=1)
    np.testing.assert_allclose(after.unit_halves, before.unit_halves, atol=1e-12)


def test_each_split_takes_another_draw():
    """Of three draws the splits take the first, second, third and first again."""
    dataset = toy(np.arange(240))
    draws = [ROWS + shift * np.random.default_rng(6 + shift).normal(size=ROWS.shape) for shift in range(3)]
    score = nmi(Embedding.of(draws), dataset)
    alone = [nmi(draw, dataset, seeds=1).unit_halves for draw in draws]
    for split in range(SPLITS):
        assert score.unit_halves[split] == alone[split % 3][split]


def test_a_half_of_one_label_is_not_scored():
    """A label in one donor only leaves halves with a single label: NaN there, and no warning."""
    labels = np.array(["rare" if i % 8 == 0 else "common" for i in range(240)])
    score = nmi(ROWS, labels, donors=np.arange(240) % 8, seeds=1)
    for pair in score.unit_halves:
        assert np.isnan(pair).sum() == 1


def test_groups_of_cells_are_split():
    """Where the units are groups of cells, these are split."""
    dataset = toy(np.arange(240), scope="cells")
    assert len(nmi(ROWS, dataset, seeds=1).unit_halves) == SPLITS
    assert len(asw(ROWS, dataset).unit_halves) == SPLITS


def test_without_donors_there_are_no_halves():
    """Nothing is said about new donors where none are known, so nothing is computed for it."""
    score = nmi(ROWS, toy(np.arange(240)).cell_types, seeds=1)
    assert score.unit_halves == ()


def test_which_metrics_have_halves():
    """Those of every run, and of the others those whose leave-outs keep a partition."""
    clustering = ["nmi", "ari", "avg_bio", "isolated_labels_f1"]
    assert [name for name, metric in METRICS.items() if metric.clusters] == clustering
    in_every_run = [name for name, metric in METRICS.items() if not metric.on_request]
    assert {name for name, metric in METRICS.items() if metric.halves} == {*in_every_run, "isolated_labels_f1"}

"""F1 of isolated labels: scib's value on the same partitions, leave-outs by removal, halves as if alone."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from zsgate.metrics import DEFAULT, isolated_labels_f1
from zsgate.metrics.cells import SPLITS, Cells
from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
from zsgate.metrics.embedding.contingency import contingency, f1_columns
from zsgate.metrics.embedding.distance_pass import distance_pass
from zsgate.metrics.embedding.isolated_labels import isolated
from zsgate.models.embedding import Embedding


@pytest.fixture(scope="module")
def sweep(pancreas):
    """Return the partitions of the real cells at the recipe's 20 resolutions under seed 0."""
    cells = Cells.of(pancreas.dataset)
    nearest = distance_pass(pancreas.embedding, cells, DEFAULT.n_neighbors - 1).neighbours
    graph = NeighbourGraph.of(pancreas.embedding, nearest)
    return [graph.partition(resolution, 0) for resolution in DEFAULT.resolutions]


@pytest.mark.filterwarnings("ignore")
def test_it_is_scibs_on_the_same_partitions(pancreas, sweep):
    """That of scib 1.1.7 on the same 20 partitions of real cells, within 1e-12; the graph is that of nmi."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scib = pytest.importorskip("scib")
    obs = pd.DataFrame({"label": pancreas.labels, "batch": pancreas.batches}).astype("category")
    for resolution, partition in zip(DEFAULT.resolutions, sweep, strict=True):
        obs[f"iso_{resolution}"] = partition
    obs.index = obs.index.astype(str)
    adata = anndata.AnnData(obs=obs, obsm={"X_emb": pancreas.embedding})
    theirs = scib.metrics.isolated_labels_f1(
        adata, "label", "batch", "X_emb", cluster_key="iso", resolutions=list(DEFAULT.resolutions), verbose=False
    )
    ours = isolated_labels_f1(pancreas.embedding, pancreas.dataset, seeds=1).value
    assert 0.3 < ours < 1
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_leave_outs_keep_the_partition_of_each_type(pancreas, sweep):
    """By scikit-learn's F1 of the cells that remain, in the partition that was best with everybody."""
    score = isolated_labels_f1(pancreas.embedding, pancreas.dataset, seeds=1)

    def best(label, partition, kept):
        truth = pancreas.labels[kept] == label
        return max(f1_score(truth, partition[kept] == cluster) for cluster in np.unique(partition))

    everybody = np.ones(len(pancreas.labels), dtype=bool)
    for unit in (0, 7, 19):
        kept = pancreas.donors != score.units[unit]
        pairs = pd.DataFrame({"label": pancreas.labels[kept], "batch": pancreas.batches[kept]}).drop_duplicates()
        n_batches = pairs.groupby("label").size()
        rare = n_batches.index[n_batches == n_batches.min()]
        chosen = {label: max(sweep, key=lambda part: best(label, part, everybody)) for label in rare}
        expected = np.mean([best(label, chosen[label], kept) for label in rare])
        assert score.leave_outs[unit] == pytest.approx(expected, abs=1e-12), unit


def test_a_half_scores_as_it_would_alone(pancreas):
    """Graph, clusters and which types are isolated: as of the cells that are physically left."""
    score = isolated_labels_f1(pancreas.embedding, pancreas.dataset, seeds=1)
    found = score.unit_halves
    assert len(found) == SPLITS
    half = Cells.of(pancreas.dataset).halves[0][0]
    alone = isolated_labels_f1(
        pancreas.embedding[half], pancreas.labels[half], batches=pancreas.batches[half], seeds=1
    ).value
    assert found[0][0] == pytest.approx(alone, abs=1e-12, nan_ok=True)


def test_draws_and_seeds(pancreas):
    """A single draw is clustered as often as asked, each of several once."""
    rows = pancreas.embedding[:300]
    labels, batches = pancreas.labels[:300], pancreas.batches[:300]
    assert len(isolated_labels_f1(rows, labels, batches=batches, seeds=3).draws) == 3
    both = isolated_labels_f1(Embedding.of([rows, rows]), labels, batches=batches, seeds=3)
    assert len(both.draws) == 2
    assert both.draws[0] == isolated_labels_f1(rows, labels, batches=batches, seeds=1).value


def test_no_type_is_isolated_where_all_are_everywhere():
    """NaN, so that a verdict on it is inconclusive; a type of one batch alone counts, and no other."""
    rng = np.random.default_rng(0)
    labels, batches = np.arange(120) % 3, np.arange(120) // 60
    rows = rng.normal(size=(120, 4)) + 10 * labels[:, None]
    assert np.isnan(isolated_labels_f1(rows, labels, batches=batches, seeds=1).value)
    batches[labels == 2] = 0
    partition = np.where(labels == 2, 0, 1)
    cells = Cells.of(labels, batches)
    found = f1_columns(contingency(partition, cells))
    assert found[:, 0] == pytest.approx([2 / 3, 2 / 3, 1])
    assert isolated(found, cells) == pytest.approx([1])

"""The metrics as callables: their scores, what they refuse, what they share and what they keep."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.metrics import DEFAULT, METRICS, Recipe, ari, asw, avg_bio, batch_score, nmi
from zsgate.metrics.embedding import shared as parts
from zsgate.models.embedding import Embedding
from zsgate.system.store import Store

ALL = [metric for metric in METRICS.values() if not metric.on_request]


@pytest.fixture
def nothing_recent(monkeypatch):
    """Return a function that forgets what this process computed, as a new process would."""

    def forget():
        monkeypatch.setattr(parts, "_passes", parts.Recent(8))
        monkeypatch.setattr(parts, "_parts", parts.Recent(64))

    forget()
    return forget


@pytest.mark.parametrize("metric", ALL)
def test_a_score_says_what_it_is(metric, pancreas, request):
    """Name, draws, donors, cells, recipe and orientation come with every score; pytest's id is the name."""
    score = metric(pancreas.embedding, pancreas.dataset, seeds=2)
    assert f"[{metric.name}]" in request.node.name
    assert metric.__name__ == score.metric == metric.name
    assert len(score.draws) == (2 if metric.clusters else 1)
    assert score.value == pytest.approx(np.mean(score.draws))
    assert score.units == tuple(np.unique(pancreas.donors))
    assert np.isfinite(score.leave_outs).all()
    assert len(score.leave_outs) == 20
    assert (score.unit, score.cells) == ("donor", pancreas.dataset.cells_digest)
    assert score.recipe == f"default:{DEFAULT.hash}"
    assert score.higher_is_better is metric.higher_is_better


@pytest.mark.parametrize("metric", ALL)
def test_arrays_score_as_a_dataset_does(metric, pancreas):
    """Labels, batches and donors as arrays, lists or categories give the dataset's values.

    Not its halves: only a dataset names its cells, and the names decide who is in which half.
    """
    import pandas as pd

    known = metric(pancreas.embedding, pancreas.dataset, seeds=1)
    given_apart = metric(
        pancreas.embedding.astype(np.float64),
        pd.Categorical(pancreas.labels),
        batches=pancreas.batches.tolist(),
        donors=pd.Series(pancreas.donors),
        seeds=1,
    )
    assert len(given_apart.unit_halves) == len(known.unit_halves) == (4 if metric.clusters else 0)
    halves = {"unit_halves": known.unit_halves, "cell_halves": known.cell_halves}
    assert replace(given_apart, cells=known.cells, **halves) == known


def test_without_donors_there_are_no_leave_outs(pancreas):
    """The value is the same and leave_outs is empty."""
    score = asw(pancreas.embedding, pancreas.labels)
    assert score.value == asw(pancreas.embedding, pancreas.dataset).value
    assert (score.leave_outs, score.units) == ((), ())


def test_avg_bio_is_the_mean_of_the_three(pancreas):
    """With everybody, without each donor and draw by draw."""
    three = [metric(pancreas.embedding, pancreas.dataset, seeds=2) for metric in (nmi, ari, asw)]
    mean = avg_bio(pancreas.embedding, pancreas.dataset, seeds=2)
    assert mean.value == pytest.approx(np.mean([score.value for score in three]), abs=1e-12)
    assert mean.leave_outs == pytest.approx(np.mean([score.leave_outs for score in three], axis=0), abs=1e-12)
    for draw in range(2):
        parts_of_draw = three[0].draws[draw], three[1].draws[draw], three[2].value
        assert mean.draws[draw] == pytest.approx(np.mean(parts_of_draw), abs=1e-12)


@pytest.mark.parametrize("metric", ALL)
def test_draws_are_scored_one_by_one(metric, pancreas):
    """Two draws have two values, each its own: the first is that of the first draw under seed 0."""
    noisy = pancreas.embedding + np.random.default_rng(0).normal(size=pancreas.embedding.shape)
    both = metric(Embedding.of([pancreas.embedding, noisy]), pancreas.dataset)
    alone = metric(pancreas.embedding, pancreas.dataset, seeds=1)
    assert len(both.draws) == 2
    assert both.draws[0] == pytest.approx(alone.value, abs=1e-12)
    assert both.draws[1] != both.draws[0]
    assert both.value == pytest.approx(np.mean(both.draws))


def test_an_oracle_scores_one():
    """One-hot labels with a little noise: NMI and ARI 1, asw near 1."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 7, 700)
    rows = np.eye(7)[labels] + 0.01 * rng.normal(size=(700, 7))
    assert nmi(rows, labels, seeds=1).value == pytest.approx(1)
    assert ari(rows, labels, seeds=1).value == pytest.approx(1)
    assert asw(rows, labels).value > 0.98


def test_noise_clusters_as_badly_as_it_should():
    """Pure noise has avg_bio near 0.18, the floor a candidate must leave."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 14, 1500)
    assert avg_bio(rng.normal(size=(1500, 30)), labels, seeds=1).value == pytest.approx(0.18, abs=0.02)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_clustering_metrics_ignore_order_and_names(seed):
    """Permuted cells, renamed labels and donors: the same nmi, ari and leave-outs within 1e-12."""
    rng = np.random.default_rng(seed)
    labels, donors = rng.integers(0, 3, 90), rng.integers(0, 4, 90)
    rows = rng.normal(size=(90, 5)) + labels[:, None]
    order = rng.permutation(90)
    for metric in (nmi, ari):
        before = metric(rows, labels, donors=donors, seeds=2)
        after = metric(rows[order], 5 - labels[order], donors=7 - donors[order], seeds=2)
        assert after.draws == pytest.approx(before.draws, abs=1e-12)
        assert after.leave_outs == pytest.approx(before.leave_outs[::-1], abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "rest", "reason"),
    [
        (["a", "b", None, "a"], {}, "labels are missing .* for 1 of 4 cells"),
        (["a", "b", np.nan, "a"], {}, "labels are missing"),
        (np.array([0.0, np.nan, 1.0, 1.0]), {}, "labels are missing"),
        (["a", "b", "a"], {}, "4 rows for 3 labels"),
        ([["a"], ["b"], ["a"], ["b"]], {}, "labels must be 1-D"),
        (["a", "a", "a", "a"], {}, "4 cells with 1 distinct labels"),
        (["a", "b", "c", "d"], {}, "4 cells with 4 distinct labels"),
        (["a", "b"], {}, "2 cells with 2 distinct labels"),
        (["a", "b", "a", "b"], {"batches": ["x", "y", "x"]}, r"batches must be .* \(3,\)"),
        (["a", "b", "a", "b"], {"donors": ["x", None, "x", "y"]}, "donors are missing"),
        (["a", "b", "a", "b"], {"seeds": 0}, "seeds must be at least 1"),
    ],
)
def test_bad_labels_are_refused_in_a_sentence(labels, rest, reason):
    """Missing values, wrong lengths and too few cells or labels raise ValueError that says so."""
    rows = np.arange(8.0).reshape(4, 2)
    with pytest.raises(ValueError, match=reason):
        asw(rows, labels, **rest)


def test_batch_score_needs_batches(pancreas):
    """Without batches it is refused; with one batch it is NaN, never a number."""
    with pytest.raises(ValueError, match="batch_score needs the batch of each cell"):
        batch_score(pancreas.embedding, pancreas.labels)
    one = batch_score(pancreas.embedding, pancreas.labels, batches=np.full(len(pancreas.labels), "b"))
    assert np.isnan(one.value)


def test_a_dataset_brings_its_own_batches(pancreas):
    """Batches or donors beside a dataset are refused rather than ignored."""
    with pytest.raises(ValueError, match="come from the dataset"):
        asw(pancreas.embedding, pancreas.dataset, donors=pancreas.donors)


def test_one_distance_pass_serves_every_metric(pancreas, nothing_recent, monkeypatch):
    """All metrics from distances and clusters measure and cluster an embedding once, and each half once."""
    passes, sweeps = [], []
    measure, sweep = parts.distance_pass, parts.NeighbourGraph.louvain
    monkeypatch.setattr(parts, "distance_pass", lambda *args: passes.append(1) or measure(*args))
    monkeypatch.setattr(parts.NeighbourGraph, "louvain", lambda *args: sweeps.append(1) or sweep(*args))
    for metric in (*ALL, METRICS["isolated_labels"], METRICS["isolated_labels_f1"]):
        metric(pancreas.embedding, pancreas.dataset, seeds=1)
    assert (len(passes), len(sweeps)) == (1 + 2 * 4 * 2, 1 + 2 * 4 * 2)


def test_the_store_serves_scores_to_another_process(pancreas, nothing_recent, monkeypatch, tmp_path):
    """A second process computes nothing; another embedding, recipe or source of this package does."""
    embedding = replace(Embedding.of(pancreas.embedding), store=Store(tmp_path))
    first = [metric(embedding, pancreas.dataset, seeds=1) for metric in ALL]
    nothing_recent()
    monkeypatch.setattr(parts, "distance_pass", None)  # calling it would fail
    assert [metric(embedding, pancreas.dataset, seeds=1) for metric in ALL] == first
    changed = replace(Embedding.of(pancreas.embedding * 2), store=Store(tmp_path))
    coarse = replace(embedding, recipe=Recipe("coarse", n_neighbors=5))
    nothing_recent()
    for given_embedding in (changed, coarse):
        with pytest.raises(TypeError):
            asw(given_embedding, pancreas.dataset)
    monkeypatch.setattr(parts, "code_of", lambda *modules: "edited")
    with pytest.raises(TypeError):
        asw(embedding, pancreas.dataset)


def test_a_recipes_hash_is_its_settings():
    """A new name keeps the hash; a setting changes it."""
    assert Recipe("other").hash == DEFAULT.hash
    assert Recipe("default", resolutions=(1.0,)).hash != DEFAULT.hash
    assert Recipe("default", n_neighbors=30).hash != DEFAULT.hash


def test_importing_the_metrics_imports_nothing_heavy():
    """Suites import them at collection: no torch, igraph, sklearn, pandas or anndata comes along."""
    heavy = {"torch", "igraph", "sklearn", "pandas", "anndata", "scanpy"}
    code = f"import sys, zsgate.metrics; print(sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("metric", ALL)
def test_cards_are_fit_to_print(metric):
    """Each card names a range or orientation and ends in a full stop: the report shows it as it is."""
    assert "higher is better" in metric.card
    assert metric.card.endswith(".")
    assert METRICS[metric.name] is metric

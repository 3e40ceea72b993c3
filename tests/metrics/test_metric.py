"""Metrics as callables: what a score says, what is refused, and what each card says."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from zsgate.metrics import DEFAULT, METRICS, Recipe, asw, batch_score
from zsgate.models.embedding import Embedding

ALL = [metric for metric in METRICS.values() if not metric.on_request]


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
    assert len(given_apart.unit_halves) == len(known.unit_halves) == (20 if metric.halves else 0)
    assert replace(given_apart, cells=known.cells, unit_halves=known.unit_halves) == known


def test_without_donors_there_are_no_leave_outs(pancreas):
    """The value is the same, within 1e-7 because cells are sorted otherwise, and leave_outs is empty."""
    score = asw(pancreas.embedding, pancreas.labels)
    assert score.value == pytest.approx(asw(pancreas.embedding, pancreas.dataset).value, abs=1e-7)
    assert (score.leave_outs, score.units) == ((), ())


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

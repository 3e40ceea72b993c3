"""Rulings: what a dead model earns by chance does not count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.metrics import asw, nmi
from zsgate.models.embedding import Embedding
from zsgate.run import controls
from zsgate.run.judgement import decided
from zsgate.verdict.score import Score
from zsgate.verdict.threshold import Threshold

POINT = Threshold(match="", policy="point", margin=0.0)


@pytest.fixture(scope="module")
def noise(pancreas: Dataset) -> Embedding:
    """Return rows that carry nothing."""
    return Embedding.of(np.random.default_rng(1).standard_normal((pancreas.n_cells, 50)), source="noise")


def test_the_silhouette_of_noise_does_not_count(pancreas: Dataset, noise: Embedding) -> None:
    """Real cells in another geometry have a lower silhouette than noise; above it is not ahead of its own shuffle."""
    counts = Embedding.of(np.log1p(pancreas.counts[:, :2000].toarray()), source="counts")
    ours, theirs = asw(noise, pancreas), asw(counts, pancreas)
    assert ours.value > theirs.value
    names = {"model": "noise", "dataset": pancreas, "baseline": "counts"}
    assert decided(POINT, ours, theirs, **names).passed
    shuffled = asw(controls.shuffled_twin(noise, pancreas), pancreas)
    verdict = decided(POINT, ours, theirs, **names, provided=(ours, shuffled))
    assert not verdict.passed
    assert "it does not count without cell-type signal" in verdict.reason


@pytest.mark.parametrize(("policy", "passes"), [("point", True), ("beats", False)])
def test_without_donors_a_bare_signal_counts_where_bare_differences_do(
    pancreas: Dataset, noise: Embedding, policy: str, passes: bool
) -> None:
    """No interval can be had: under point a clear signal is enough, and noise shows none."""
    alone = replace(pancreas, donors=None)
    oracle = Embedding.of(controls.oracle(alone, noise), source="oracle")
    names = {"model": "m", "dataset": alone, "baseline": "b"}
    ahead, behind = (Score("batch_score", value, (value,)) for value in (0.9, 0.8))
    for rows, told in ((oracle, passes), (noise, False)):
        signal = nmi(rows, alone), nmi(controls.shuffled_twin(rows, alone), alone)
        wanted = Threshold(match="", policy=policy, margin=0.0)
        assert decided(wanted, ahead, behind, **names, provided=signal).passed is told

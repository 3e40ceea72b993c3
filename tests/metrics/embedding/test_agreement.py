"""nmi, ari and avg_bio: their range, and what they do not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zsgate.metrics import ari, asw, avg_bio, nmi


def test_avg_bio_is_the_mean_of_the_three(pancreas):
    """With everybody, without each donor and draw by draw."""
    three = [metric(pancreas.embedding, pancreas.dataset, seeds=2) for metric in (nmi, ari, asw)]
    mean = avg_bio(pancreas.embedding, pancreas.dataset, seeds=2)
    assert mean.value == pytest.approx(np.mean([score.value for score in three]), abs=1e-12)
    assert mean.leave_outs == pytest.approx(np.mean([score.leave_outs for score in three], axis=0), abs=1e-12)
    for draw in range(2):
        parts_of_draw = three[0].draws[draw], three[1].draws[draw], three[2].value
        assert mean.draws[draw] == pytest.approx(np.mean(parts_of_draw), abs=1e-12)


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
@example(seed=3643)  # two resolutions whose partitions differ and have the same NMI, but for rounding
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

"""Donors weighing equally: what the score would be if none had more cells than another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score

from zsgate.metrics import METRICS, asw, batch_score
from zsgate.metrics.cells import SPLITS, Cells
from zsgate.metrics.embedding.contingency import ari_columns, contingency, nmi_columns
from zsgate.verdict.verdict import judge

PAPERS = ("asw", "nmi", "ari", "avg_bio", "batch_score")


def weighted_widths(rows, clusters, weights):
    """Return the silhouette of each cell where a cell counts as often as its weight, by the definition."""
    distances = np.linalg.norm(rows[:, None].astype(float) - rows, axis=2)
    widths = np.zeros(len(rows))
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        means = {}
        for cluster in np.unique(clusters):
            among = others & (clusters == cluster)
            means[cluster] = np.average(distances[i, among], weights=weights[among]) if among.any() else None
        own = means.pop(clusters[i])
        other = min(value for value in means.values() if value is not None)
        widths[i] = 0 if own is None else (other - own) / max(own, other)
    return widths


@pytest.fixture
def uneven():
    """Return rows, labels, batches and donors; one donor has more than half of the cells."""
    rng = np.random.default_rng(1)
    labels, batches = rng.integers(0, 3, 120), rng.integers(0, 2, 120)
    donors = np.minimum(rng.integers(0, 9, 120), 4)
    return (rng.normal(size=(120, 4)) + labels[:, None]).astype(np.float32), labels, batches, donors


def test_silhouettes_weigh_cells_by_their_donor(uneven):
    """Both scores are the definition's with weights n / (G n_donor), within 1e-7."""
    rows, labels, batches, donors = uneven
    weights = (len(rows) / (5 * np.bincount(donors)))[donors]
    widths = weighted_widths(rows, labels, weights)
    expected = (np.average(widths, weights=weights) + 1) / 2
    assert asw(rows, labels, donors=donors).balanced == pytest.approx(expected, abs=1e-7)
    of_labels = []
    for label in range(3):
        among = labels == label
        mixing = 1 - np.abs(weighted_widths(rows[among], batches[among], weights[among]))
        of_labels.append(np.average(mixing, weights=weights[among]))
    found = batch_score(rows, labels, batches=batches, donors=donors).balanced
    assert found == pytest.approx(np.mean(of_labels), abs=1e-7)


def test_nmi_is_that_of_donors_repeated_until_they_are_alike():
    """Donors of 6 and 12 cells, the smaller one's repeated: scikit-learn's NMI, within 1e-12."""
    rng = np.random.default_rng(2)
    donors, labels, partition = np.repeat([0, 1], [6, 12]), np.arange(18) % 3, rng.integers(0, 3, 18)
    cells = Cells.of(labels, donors=donors)
    again = np.repeat(np.arange(18), np.where(donors == 0, 2, 1))
    expected = normalized_mutual_info_score(labels[again], partition[again])
    assert nmi_columns(contingency(partition, cells))[-1] == pytest.approx(expected, abs=1e-12)
    assert ari_columns(contingency(cells.labels, cells))[-1] == pytest.approx(1)


@pytest.mark.parametrize("name", PAPERS)
def test_donors_of_one_size_change_nothing(name):
    """Where all donors have as many cells, the balanced score is the score, and all of them count."""
    rng = np.random.default_rng(3)
    labels, batches = rng.integers(0, 3, 120), rng.integers(0, 2, 120)
    rows = rng.normal(size=(120, 4)) + labels[:, None]
    score = METRICS[name](rows, labels, batches=batches, donors=np.arange(120) % 8, seeds=2)
    assert score.balanced == pytest.approx(score.value, abs=1e-12)
    assert score.n_effective == pytest.approx(8)


def test_a_donor_with_most_cells_leaves_few_effective_ones(pancreas):
    """1 / sum(share ** 2): the 20 donors of the pancreas weigh like 10 of one size."""
    score = asw(pancreas.embedding, pancreas.dataset)
    shares = np.unique(pancreas.donors, return_counts=True)[1] / len(pancreas.donors)
    assert score.n_effective == pytest.approx(1 / np.sum(shares**2))
    assert 9 < score.n_effective < 12


def test_the_verdict_tells_both(uneven):
    """It has the difference with equal donors and the effective number; a score without them gives None."""
    rows, labels, _, donors = uneven
    ours, theirs = asw(rows, labels, donors=donors), asw(rows[:, :2], labels, donors=donors)
    verdict = judge(ours, theirs)
    assert verdict.balanced == pytest.approx(ours.balanced - theirs.balanced)
    assert judge(theirs, ours).balanced == -verdict.balanced
    assert verdict.n_effective == ours.n_effective
    assert judge(replace(ours, balanced=None), theirs).balanced is None
    assert asw(rows, labels).balanced is None


def test_halves_are_complementary_and_balanced(pancreas):
    """Every cell is in one half, no donor in both; any two donors are together in about half of the splits."""
    cells = Cells.of(pancreas.dataset)
    assert len(cells.halves) == SPLITS == 20
    together = np.zeros((20, 20))
    for left, right in cells.halves:
        np.testing.assert_array_equal(np.sort(np.append(left, right)), np.arange(cells.n_cells))
        assert not set(cells.units[left]) & set(cells.units[right])
        assert len(set(cells.units[left])) == len(set(cells.units[right])) == 10
        side = np.isin(np.arange(20), cells.units[left])
        together += side[:, None] == side
    assert len({left.tobytes() for left, _ in cells.halves}) == SPLITS
    assert np.abs(together - 9.5)[~np.eye(20, dtype=bool)].max() <= 2.5  # random splits differ by twice that

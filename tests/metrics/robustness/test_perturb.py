"""Perturbations do what they say to the counts, and nothing but names decides their random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.metrics.robustness import perturb
from zsgate.metrics.robustness.metric import ROBUSTNESS

EACH = pytest.mark.parametrize("change", [metric.perturbation for metric in ROBUSTNESS.values()])


@pytest.fixture(scope="module")
def cells(pancreas):
    """Return every ninth real cell, with all genes."""
    return pancreas.dataset.subset(np.arange(0, pancreas.dataset.n_cells, 9))


def totals(dataset):
    return np.asarray(dataset.counts.sum(axis=1)).ravel()


@EACH
def test_only_counts_change(cells, change):
    """Cells, labels, donors and genes stay; the counts are others, and never more."""
    changed = change(cells)
    assert (changed.cells_digest, changed.n_cells) == (cells.cells_digest, cells.n_cells)
    np.testing.assert_array_equal(changed.symbols, cells.symbols)
    assert changed.digest != cells.digest
    assert (totals(changed) <= totals(cells)).all()
    assert (totals(changed) > 0).all()


@EACH
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=3, deadline=None)
def test_no_order_decides(cells, change, seed):
    """Cells and genes in another order, without genes that nobody expresses: the same counts."""
    chance = np.random.default_rng(seed)
    order, genes = chance.permutation(cells.n_cells), chance.permutation(len(cells.symbols))
    seen = genes[np.asarray(cells.counts.sum(axis=0)).ravel()[genes] > 0]
    other = change(cells.with_genes(seen).subset(order))
    assert (other.counts != change(cells).counts[order][:, seen]).nnz == 0


@pytest.mark.parametrize("change", [perturb.depth, perturb.missing_genes])
def test_no_other_cell_decides(cells, change):
    """Half of a cell's molecules are the same ones whoever else is there, and so are the missing genes."""
    some = np.arange(5, 20)
    assert (change(cells.subset(some)).counts != change(cells).counts[some]).nnz == 0


def test_half_the_depth(pancreas):
    """Half of all molecules are left, within six standard errors; each count as Binomial(n, 1/2) has it."""
    before, after = pancreas.dataset.counts, perturb.depth(pancreas.dataset).counts
    total = before.sum(dtype=np.float64)
    assert abs(after.sum(dtype=np.float64) - total / 2) < 6 * np.sqrt(total / 4)
    assert (after > before).nnz == 0
    kept = np.asarray(after[before == 2]).ravel()
    shares = np.bincount(kept.astype(int), minlength=3) / len(kept)
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.25], rtol=0, atol=6 * np.sqrt(0.25 / len(kept)))


def test_a_fifth_of_the_genes_is_missing(pancreas):
    """The same in every cell, about a fifth of them; the rest is untouched."""
    before, after = pancreas.dataset.counts, perturb.missing_genes(pancreas.dataset).counts
    gone = np.asarray(after.sum(axis=0)).ravel() == 0
    was = np.asarray(before.sum(axis=0)).ravel() > 0
    assert abs((gone & was).sum() / was.sum() - 0.2) < 6 * np.sqrt(0.16 / was.sum())
    assert (before[:, ~gone] != after[:, ~gone]).nnz == 0


def test_a_panel_has_the_thousand_genes_with_most_counts(pancreas):
    """Exactly these keep their counts."""
    before, after = pancreas.dataset.counts, perturb.panel_genes(pancreas.dataset).counts
    sums = np.asarray(before.sum(axis=0, dtype=np.float64)).ravel()
    kept = np.flatnonzero(np.asarray(after.sum(axis=0)).ravel())
    assert len(kept) == 1000
    assert sums[kept].min() >= np.delete(sums, kept).max()
    assert (before[:, kept] != after[:, kept]).nnz == 0


def test_a_tenth_comes_from_the_medium(pancreas):
    """Totals stay; what is lost is a tenth of each count on average, and what comes is spread as the sum of all."""
    dataset = pancreas.dataset
    before, after = dataset.counts.toarray(), perturb.ambient(dataset).counts.toarray()
    np.testing.assert_array_equal(totals(perturb.ambient(dataset)), totals(dataset))
    total, profile = before.sum(dtype=np.float64), before.sum(axis=0, dtype=np.float64)
    expected = 0.9 * before + 0.1 * np.outer(before.sum(axis=1), profile / total)
    error = np.sqrt(0.1 * profile + 1)  # at least the standard deviation of a gene's sum
    assert np.abs((after - expected).sum(axis=0) / error).max() < 6
    one = profile.argmax()
    foreign = before[:, one] == 0
    assert after[foreign, one].sum() == pytest.approx(expected[foreign, one].sum(), rel=0.2)


def test_a_cell_is_never_left_empty():
    """One without a gene of the panel, or with a single molecule, stays as it was rather than have nothing to say."""
    counts = np.zeros((40, 1_200), dtype=int)
    counts[:30, :1_000], counts[30:, 1_000:] = 5, 1
    names = np.array([f"n{place}" for place in range(1_200)])
    made = Dataset("made", counts, names[:40], np.repeat(["a", "b"], 20), names)
    np.testing.assert_array_equal(perturb.panel_genes(made).counts.toarray(), counts)
    single = replace(made, counts=np.eye(40, 1_200, dtype=int))
    assert (totals(perturb.depth(single)) == 1).all()

"""Which genes are hidden, whoever asks: fixed by the genes that a cell expresses and the seed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.models.reconstruction import hidden

CELL = st.sets(st.integers(0, 30_000), min_size=1, max_size=60).map(sorted)


@settings(deadline=None)
@given(CELL, st.data(), st.floats(0.01, 0.9), st.integers(0, 3))
def test_a_part_of_a_cell_has_the_first_of_its_genes_hidden(
    genes: list[int], data: st.DataObject, share: float, seed: int
) -> None:
    """Of some genes of a cell those are hidden that all genes of the cell would have hidden first."""
    whole, ends = np.array(genes), np.array([0, len(genes)])
    some = np.array(data.draw(st.permutations(genes)))[: data.draw(st.integers(1, len(genes)))]
    found = hidden(np.array([0, len(some)]), some, share, seed, expressed=(ends, whole))
    number = max(1, round(share * len(some)))
    assert found.sum() == number
    counts = range(1, len(genes) + 1)
    order = [set(whole[hidden(ends, whole, (n - 0.001) / len(genes), seed)]) for n in counts]  # the first n of all
    first = next(chosen for chosen in order if len(chosen & set(some)) == number)
    assert set(some[found]) == first & set(some)


def test_seeds_and_cells_hide_other_genes() -> None:
    """Over 400 cells each gene is hidden as often as the share says (5 sigma); two seeds agree by chance only."""
    n_cells, n_genes = 400, 50
    genes = np.stack([np.random.default_rng(cell).permutation(200)[:n_genes] for cell in range(n_cells)])
    offsets = np.arange(n_cells + 1) * n_genes
    one, other = (hidden(offsets, genes.ravel(), 0.4, seed) for seed in (0, 1))
    chances = np.bincount(genes.ravel(), minlength=200)
    z = (np.bincount(genes.ravel()[one], minlength=200) - 0.4 * chances) / np.sqrt(0.24 * chances)
    assert np.abs(z).max() < 5
    assert abs((one & other).mean() - 0.16) < 5 * np.sqrt(0.16 * 0.84 / genes.size)

"""Cells as runs of tokens, and batches of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.models.transformer.tokens import Tokens, batches


def tokens_of(lengths: list[int]) -> Tokens:
    """Return cells of these lengths, each token its own number."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.arange(offsets[-1], dtype=np.int32)
    return Tokens(offsets, ids, ids, values=ids / np.float32(3))


LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@settings(deadline=None)
@given(LENGTHS, st.integers(0, 200), st.booleans())
def test_batches_hold_every_cell_once_within_the_budget(lengths: list[int], budget: int, alike: bool) -> None:
    """Every cell is in one batch, batches respect the budget unless they are one cell, long cells come first."""
    sizes = np.array(lengths)
    found = list(batches(sizes, budget, alike=alike))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    assert all(len(cells) == 1 or sizes[cells].sum() <= budget for cells in found)
    assert (np.diff(sizes[np.concatenate(found)]) <= 0).all()
    assert not alike or all(len(np.unique(sizes[cells])) == 1 for cells in found)


@settings(deadline=None)
@given(LENGTHS, st.data())
def test_take_gathers_runs(lengths: list[int], data: st.DataObject) -> None:
    """Taking cells gives their runs in that order, equal to slicing each."""
    tokens = tokens_of(lengths)
    cells = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=10)))
    taken = tokens.take(cells)
    expected = [tokens.ids[tokens.offsets[cell] : tokens.offsets[cell + 1]] for cell in cells]
    np.testing.assert_array_equal(taken.ids, np.concatenate(expected))
    np.testing.assert_array_equal(taken.values, taken.ids / np.float32(3))
    np.testing.assert_array_equal(taken.lengths, [len(run) for run in expected])

"""Threads and memory: rows come back to their cells, whatever the batches were."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.errors import UsageProblem
from zsgate.models.transformer.runner import Batch, Runner
from zsgate.models.transformer.tokens import Tokens


def tokens_of(lengths: list[int]) -> Tokens:
    """Return cells of these lengths, each token its own number."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.arange(offsets[-1], dtype=np.int32)
    return Tokens(offsets, ids, ids)


LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


class Room:
    """A forward pass on a device with room for ``room`` tokens; it raises what torch raises on a GPU."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.tried: list[int] = []

    def __call__(self, batch: Batch) -> tuple[torch.Tensor]:
        """Return the first token of each cell."""
        self.tried.append(len(batch.ids))
        if len(batch.ids) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")  # noqa: EM101
        return (batch.ids[batch.runs.starts],)


def one_after_the_other(budget: int, *, alike: bool = False) -> Runner:
    """Return a runner as on a GPU."""
    return Runner(torch.device("cpu"), budget, alike=alike, side_by_side=False)


@settings(deadline=None)
@given(LENGTHS, st.integers(50, 400), st.booleans())
def test_running_out_of_memory_halves_the_budget_and_goes_on(lengths: list[int], room: int, alike: bool) -> None:
    """With too large a budget every cell is still done once, and the budget ends up within the room."""
    runner, tokens, forward = one_after_the_other(1000, alike=alike), tokens_of(lengths), Room(room)
    found = list(runner(tokens, forward))
    cells = np.concatenate([cells for cells, _ in found])
    assert sorted(cells.tolist()) == list(range(len(lengths)))
    np.testing.assert_array_equal(np.concatenate([out[0] for _, out in found]), tokens.offsets[cells])
    assert max(forward.tried) <= room or runner.budget < 1000
    assert not alike or all(len(np.unique(tokens.lengths[cells])) == 1 for cells, _ in found)


def test_the_failed_batch_is_gone_before_room_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the cache is emptied, nothing holds the tensors of the batch that did not fit."""
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(held[-1]() is not None))

    def forward(batch: Batch) -> tuple[torch.Tensor]:
        activations = batch.ids.float()
        held.append(weakref.ref(activations))
        if len(batch.ids) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")  # noqa: EM101
        return (activations[:1],)

    assert len(list(one_after_the_other(40)(tokens_of([10] * 4), forward))) == 4
    assert alive
    assert not any(alive)


def test_one_cell_that_does_not_fit_is_said() -> None:
    """If a single cell is too large for the device, the message says its size."""
    with pytest.raises(UsageProblem, match="no room for one cell of 30 tokens"):
        list(one_after_the_other(100)(tokens_of([30]), Room(20)))


@pytest.mark.parametrize(("budget", "alike"), [(None, False), (100, False), (100, True)])
def test_threads_return_rows_to_their_cells(budget: int | None, alike: bool) -> None:
    """On the CPU the outputs of cells run on several threads belong to their cells, a cell or several a batch."""
    tokens = tokens_of([*range(1, 60), *range(1, 60)])

    def firsts(batch: Batch) -> list[torch.Tensor]:
        return [batch.ids[batch.runs.starts]]

    found = list(Runner(torch.device("cpu"), budget, alike=alike)(tokens, firsts))
    for cells, (first,) in found:
        np.testing.assert_array_equal(first, tokens.offsets[cells])
        assert len(cells) == 1 or tokens.lengths[cells].sum() <= 100
    assert sorted(np.concatenate([cells for cells, _ in found]).tolist()) == list(range(118))
    assert (len(found) == 118) is (budget is None)

"""Tokens: cells as runs of token ids, no padding; windows and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]
CHUNK = 256  # cells a thread tokenises at a time


@dataclass(frozen=True)
class Tokens:
    """Cells as consecutive runs of tokens.

    Attributes
    ----------
    offsets
        Where each cell's run begins and the last one ends, int64 (n_cells + 1,).
    ids
        Vocabulary id of each token, int32 (n_tokens,).
    columns
        Column of the dataset each token stands for, int32 (n_tokens,); -1 for special tokens.
    bins
        Value of each token, int8 (n_tokens,), for models that read binned values; None otherwise.
    ties
        Number of bins each token's count was drawn from (0 and 1: not drawn), int8 (n_tokens,), or None.
    values
        Value of each token, float32 (n_tokens,), for models that read values as they are; None otherwise.
    """

    offsets: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    bins: npt.NDArray[np.int8] | None = None
    ties: npt.NDArray[np.int8] | None = None
    values: npt.NDArray[np.float32] | None = None

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of tokens of each cell."""
        return np.diff(self.offsets)

    def take(self, cells: Rows) -> Tokens:
        """Return the runs of ``cells``, in that order."""
        offsets = np.concatenate([[0], np.cumsum(self.lengths[cells])])
        if len(cells) == 1:  # the runner's case on the CPU: no gathering
            entries = slice(self.offsets[cells[0]], self.offsets[cells[0] + 1])
            return replace(self, offsets=offsets, **self._each(lambda part: part[entries]))
        places = self.entries(cells)
        return replace(self, offsets=offsets, **self._each(lambda part: part[places]))

    def entries(self, cells: Rows) -> Rows:
        """Return where the tokens of ``cells`` are, run after run."""
        lengths = self.lengths[cells]
        ends = np.cumsum(lengths)
        return np.repeat(self.offsets[cells] - ends + lengths, lengths) + np.arange(lengths.sum())

    def frame(self, first: int, last: int) -> Tokens:
        """Return every run with the special tokens ``first`` and ``last`` around it; runs without values only."""
        offsets = self.offsets + 2 * np.arange(len(self.offsets))
        ids = np.empty(offsets[-1], np.int32)
        columns = np.full(offsets[-1], -1, np.int32)
        gene = np.ones(offsets[-1], dtype=bool)
        gene[offsets[:-1]] = gene[offsets[1:] - 1] = False
        ids[gene], columns[gene] = self.ids, self.columns
        ids[offsets[:-1]], ids[offsets[1:] - 1] = first, last
        return Tokens(offsets, ids, columns)

    def _each(self, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        parts = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "offsets"}
        return {name: change(part) for name, part in parts.items() if part is not None}


def join(parts: list[Tokens]) -> Tokens:
    """Return the cells of all ``parts``, one after the other."""
    ends = np.cumsum([part.offsets[-1] for part in parts])
    starts = [0, *ends[:-1].tolist()]
    offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=True)]
    names = parts[0]._each(lambda part: part)
    together = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Tokens(offsets=np.concatenate([*offsets, ends[-1:]]), **together)


def tokenise_in_chunks(tokenise: Callable[[int, int], Tokens], n_cells: int, n_threads: int) -> Tokens:
    """Return ``tokenise(start, stop)`` over all cells, chunks spread over threads."""
    starts = range(0, n_cells, CHUNK)
    stops = [min(start + CHUNK, n_cells) for start in starts]
    if n_threads == 1 or len(stops) == 1:
        return join([tokenise(start, stop) for start, stop in zip(starts, stops, strict=True)])
    with ThreadPoolExecutor(n_threads) as pool:
        return join(list(pool.map(tokenise, starts, stops)))


def batches(lengths: npt.NDArray[np.int64], budget: int, *, alike: bool = False) -> Iterator[Rows]:
    """Yield positions of cells, longest cells first, in batches.

    Parameters
    ----------
    lengths
        Tokens of each cell, (n_cells,).
    budget
        Tokens a batch may have; a cell with more is a batch of its own.
    alike
        Whether all cells of a batch must have as many tokens.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        left = lengths[order[start:]]
        size = max(1, int(np.searchsorted(np.cumsum(left), budget, side="right")))
        if alike:
            size = min(size, int(np.searchsorted(-left, -left[0], side="right")))
        yield order[start : start + size]
        start += size

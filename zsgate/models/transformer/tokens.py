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
        Value of each token, int8 (n_tokens,), for models that read values; None otherwise.
    ties
        Number of bins each token's count was drawn from (0 and 1: not drawn), int8 (n_tokens,), or None.
    """

    offsets: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    bins: npt.NDArray[np.int8] | None = None
    ties: npt.NDArray[np.int8] | None = None

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

    def framed(self, first: int, last: int) -> Tokens:
        """Return every run with the special tokens ``first`` and ``last`` around it; runs without bins only."""
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


def joined(parts: list[Tokens]) -> Tokens:
    """Return the cells of all ``parts``, one after the other."""
    ends = np.cumsum([part.offsets[-1] for part in parts])
    starts = [0, *ends[:-1].tolist()]
    offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=True)]
    names = parts[0]._each(lambda part: part)
    together = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Tokens(offsets=np.concatenate([*offsets, ends[-1:]]), **together)


def in_chunks(tokenise: Callable[[int, int], Tokens], n_cells: int, n_threads: int) -> Tokens:
    """Return ``tokenise(start, stop)`` over all cells, chunks spread over threads."""
    starts = range(0, n_cells, CHUNK)
    stops = [min(start + CHUNK, n_cells) for start in starts]
    if n_threads == 1 or len(stops) == 1:
        return joined([tokenise(start, stop) for start, stop in zip(starts, stops, strict=True)])
    with ThreadPoolExecutor(n_threads) as pool:
        return joined(list(pool.map(tokenise, starts, stops)))


def batches(lengths: npt.NDArray[np.int64], budget: int) -> Iterator[Rows]:
    """Yield positions of cells, longest cells first, with at most ``budget`` tokens a batch (or one cell)."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        filled = np.cumsum(lengths[order[start:]])
        size = max(1, int(np.searchsorted(filled, budget, side="right")))
        yield order[start : start + size]
        start += size


def masked_genes(tokens: Tokens, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which tokens are masked: ``share`` of each cell's genes (if any, then at least one), never special ones.

    The choice is keyed by the cell's set of genes: the same in any order, batch or process.
    """
    from zsgate.models.transformer import kernels

    if share == 0:
        return np.zeros(len(tokens.ids), dtype=bool)
    words = kernels.hash_entries(tokens.offsets, tokens.ids, np.zeros(len(tokens.ids), np.float32), seed)
    words[tokens.columns < 0] = np.iinfo(np.uint64).max
    cell = np.repeat(np.arange(len(tokens.lengths)), tokens.lengths)
    place = np.empty(len(words), np.int64)
    place[np.lexsort((words, cell))] = np.arange(len(words)) - np.repeat(tokens.offsets[:-1], tokens.lengths)
    genes = np.add.reduceat(tokens.columns >= 0, tokens.offsets[:-1], dtype=np.int64)
    wanted = np.maximum(1, np.rint(share * genes)).astype(np.int64)
    return place < np.repeat(wanted, tokens.lengths)

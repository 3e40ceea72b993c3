"""scGPT's input: genes present in a cell, their counts in 51 quantile bins, a class token in front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from zsgate.models.transformer.tokens import Tokens, tokenise_in_chunks

if TYPE_CHECKING:
    import scipy.sparse as sp
    import torch

N_BINS = 51  # the binning of scGPT's data collator, whatever args.json says
SPECIAL = ("<pad>", "<cls>", "<eoc>")
PAD_VALUE, MASK_VALUE = -2, -1
QUANTILES = np.linspace(0, 1, N_BINS - 1)

Offsets = npt.NDArray[np.int64]
Entries = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Counts = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]


class Draws(Protocol):
    """Where the chance in scGPT's tokens comes from."""

    def __call__(
        self, offsets: Offsets, ids: Ids, counts: Counts, below: Bytes, ties: Bytes, limit: int
    ) -> tuple[Offsets, Entries, Bytes]:
        """Return (offsets, entries kept, bins of all entries), at most ``limit`` entries a cell."""
        ...


@dataclass(frozen=True)
class KeyedDraws:
    """Draws fixed by the seed and by the (gene, count) pairs of the cell alone.

    The same cell gets the same tokens in any order, batch, process or machine; identical cells get
    identical draws.
    """

    seed: int

    def __call__(
        self, offsets: Offsets, ids: Ids, counts: Counts, below: Bytes, ties: Bytes, limit: int
    ) -> tuple[Offsets, Entries, Bytes]:
        """Return (offsets, entries kept, bins of all entries)."""
        from zsgate.models.families.scgpt import binning
        from zsgate.models.transformer import kernels

        words = kernels.hash_entries(offsets, ids, counts, self.seed)
        bins = binning.draw_bins(words, below, ties)
        return *kernels.sample(offsets, kernels.mixed_each(words), limit), bins


@dataclass(frozen=True)
class OfficialDraws:
    """Upstream's draws, cell after cell: NumPy's generator breaks ties, torch's picks genes.

    With both generators in the state upstream's were in, in one process, the tokens are upstream's.
    """

    ties: np.random.RandomState
    choice: torch.Generator

    @classmethod
    def seeded(cls, seed: int) -> OfficialDraws:
        """Return the draws after ``numpy.random.seed(seed)`` and ``torch.manual_seed(seed)``."""
        import torch

        return cls(np.random.RandomState(seed), torch.Generator().manual_seed(seed))

    def __call__(
        self, offsets: Offsets, ids: Ids, counts: Counts, below: Bytes, ties: Bytes, limit: int
    ) -> tuple[Offsets, Entries, Bytes]:
        """Return (offsets, entries kept, bins of all entries)."""
        import torch

        bins = np.empty(len(ids), np.int8)
        kept = []
        for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            top = below[start:stop].astype(np.int64) + ties[start:stop]
            uniform = self.ties.random_sample(stop - start)
            bins[start:stop] = np.ceil(uniform * (below[start:stop] - top) + top)
            entries = np.arange(start, stop)
            if stop - start > limit:
                entries = entries[torch.randperm(stop - start, generator=self.choice)[:limit].numpy()]
            kept.append(entries)
        ends = np.cumsum([0] + [len(entries) for entries in kept], dtype=np.int64)
        return ends, np.concatenate(kept), bins


@dataclass(frozen=True)
class ScGPTTokenizer:
    """scGPT's tokeniser over CSR counts.

    Attributes
    ----------
    vocabulary
        ``{gene symbol or special token: id}``.
    max_length
        Longest run, the class token included; more genes than fit are sampled.
    cls_value
        Value of the class token: -2 officially, 0 in the paper's code.
    """

    vocabulary: Mapping[str, int]
    max_length: int = 1200
    cls_value: int = PAD_VALUE

    def columns(self, symbols: npt.NDArray[np.str_]) -> Ids:
        """Return the vocabulary id of each symbol, exact and case-sensitive; -1 where there is none."""
        genes = {name: each for name, each in self.vocabulary.items() if name not in SPECIAL}
        return np.array([genes.get(symbol, -1) for symbol in symbols.tolist()], dtype=np.int32)

    def __call__(self, counts: sp.csr_matrix, columns: Ids, draws: Draws, n_threads: int = 1) -> Tokens:
        """Return the tokens of all cells; chance is drawn in the order of the cells."""
        from zsgate.models.families.scgpt import binning
        from zsgate.models.transformer import kernels

        def tokenise(start: int, stop: int) -> Tokens:
            indptr = counts.indptr[start : stop + 1].astype(np.int64)
            offsets, ids, genes, values = kernels.select(indptr, counts.indices, counts.data, columns)
            below, ties = binning.digitise(offsets, values, QUANTILES)
            kept_offsets, kept, bins = draws(offsets, ids, values, below, ties, self.max_length - 1)
            entries = binning.Entries(ids, genes, bins, ties)
            all_offsets, kept_entries = binning.assemble(
                kept_offsets, kept, entries, self.vocabulary["<cls>"], self.cls_value
            )
            return Tokens(all_offsets, *kept_entries)

        one_after_the_other = isinstance(draws, OfficialDraws)
        return tokenise_in_chunks(tokenise, counts.shape[0], 1 if one_after_the_other else n_threads)

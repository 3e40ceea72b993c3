"""Geneformer's input: a cell's genes by falling count over the gene's median, no values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.models.families.geneformer.dictionaries import CLS, EOS, GeneDictionary
from zsgate.models.transformer.tokens import Tokens, tokenise_in_chunks

if TYPE_CHECKING:
    import scipy.sparse as sp


@dataclass(frozen=True)
class GeneformerTokenizer:
    """Geneformer's rank-value encoding over CSR counts.

    Genes are ordered by count / median in float64, which is upstream's order by normalised expression, since
    a cell's depth scales all its genes alike. Exact ties, which upstream leaves to an unstable sort, go by token.

    Attributes
    ----------
    genes
        Tokens and medians.
    max_length
        Longest run, special tokens included; the lowest ranks are cut.
    """

    genes: GeneDictionary
    max_length: int

    def __call__(self, counts: sp.csr_matrix, columns: npt.NDArray[np.int32], n_threads: int = 1) -> Tokens:
        """Return the tokens of all cells; columns of the same token are summed."""
        counts, columns, source = sum_columns(counts, columns)
        column_of = np.full(len(self.genes.tokens), -1, np.int32)
        column_of[columns[columns >= 0]] = source[columns >= 0]

        def tokenise(start: int, stop: int) -> Tokens:
            return self._rank(counts, columns, column_of, start, stop)

        return tokenise_in_chunks(tokenise, counts.shape[0], n_threads)

    def _rank(
        self,
        counts: sp.csr_matrix,
        columns: npt.NDArray[np.int32],
        column_of: npt.NDArray[np.int32],
        start: int,
        stop: int,
    ) -> Tokens:
        from zsgate.models.transformer import kernels, ranking

        medians = self.genes.median_of_token
        indptr = counts.indptr[start : stop + 1].astype(np.int64)
        offsets, ids, _, values = kernels.select(indptr, counts.indices, counts.data, columns)
        keys = ranking.pack_ranks(ids, values, medians)
        for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            keys[first:last].sort()
        limit = self.max_length - (2 if self.genes.has_special else 0)
        kept, ranked = ranking.unpack_ranks(offsets, ids, values, keys, medians, limit)
        tokens = Tokens(kept, ranked, column_of[ranked])
        special = self.genes.tokens
        return tokens.frame(special[CLS], special[EOS]) if self.genes.has_special else tokens


def sum_columns(
    counts: sp.csr_matrix, columns: npt.NDArray[np.int32]
) -> tuple[sp.csr_matrix, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return (counts, token of each column, original column), the columns of one token summed in its first."""
    mapped = np.flatnonzero(columns >= 0)
    tokens, first, place = np.unique(columns[mapped], return_index=True, return_inverse=True)
    if len(tokens) == len(mapped):
        return counts, columns, np.arange(len(columns), dtype=np.int32)
    import scipy.sparse as sp

    ones = np.ones(len(mapped), dtype=np.float32)
    together = sp.csr_matrix((ones, (mapped, place)), shape=(len(columns), len(tokens)))
    summed = sp.csr_matrix(counts @ together)
    return summed, tokens.astype(np.int32), mapped[first].astype(np.int32)

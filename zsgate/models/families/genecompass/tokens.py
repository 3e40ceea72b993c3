"""GeneCompass's input: a class token, then a cell's genes by falling count over the gene's median, with values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.models.families.genecompass.genes import GeneCompassGenes
from zsgate.models.families.geneformer.tokens import sum_columns
from zsgate.models.transformer.tokens import Tokens, tokenise_in_chunks

if TYPE_CHECKING:
    import scipy.sparse as sp

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class GeneCompassTokenizer:
    """GeneCompass's tokens over CSR counts: in front of each cell one whose id stands for nothing, then its genes.

    Values are log2(1 + count / median), which no total of the cell divides, as upstream's ``preprocess.py`` makes them.
    Genes are in their falling order; exact ties, which upstream leaves to an unstable sort, go by token.

    Attributes
    ----------
    genes
        Tokens and medians.
    max_genes
        Most genes of a cell; those with the smallest values are cut.
    """

    genes: GeneCompassGenes
    max_genes: int

    def __call__(self, counts: sp.csr_matrix, columns: Ids, n_threads: int = 1) -> Tokens:
        """Return the tokens of all cells; columns of the same token are summed.

        Parameters
        ----------
        counts
            Shape (n_cells, n_genes of the dataset).
        columns
            Token of each of the dataset's genes, int32; -1 without.
        n_threads
            Threads at work.
        """
        counts, columns, source = sum_columns(counts, columns)
        column_of = np.full(self.genes.n_tokens, -1, np.int32)
        column_of[columns[columns >= 0]] = source[columns >= 0]

        def tokenise(start: int, stop: int) -> Tokens:
            return self._rank(counts, columns, column_of, start, stop)

        return tokenise_in_chunks(tokenise, counts.shape[0], n_threads)

    def _rank(self, counts: sp.csr_matrix, columns: Ids, column_of: Ids, start: int, stop: int) -> Tokens:
        from zsgate.models.transformer import kernels, ranking

        medians = self.genes.median_of_token
        indptr = counts.indptr[start : stop + 1].astype(np.int64)
        offsets, ids, _, found = kernels.select(indptr, counts.indices, counts.data, columns)
        keys = ranking.pack_ranks(ids, found, medians)
        rows = [slice(*ends) for ends in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
        for row in rows:
            keys[row].sort()
        kept, ranked = ranking.unpack_ranks(offsets, ids, found, keys, medians, self.max_genes)
        places = kept + np.arange(len(kept))  # each cell's class token is in front of its genes
        is_gene = np.ones(places[-1], dtype=bool)
        is_gene[places[:-1]] = False
        shown, sources = np.zeros(places[-1], np.int32), np.full(places[-1], -1, np.int32)
        shown[is_gene], sources[is_gene] = ranked, column_of[ranked]
        values, count_of = np.zeros(places[-1], np.float32), np.zeros(self.genes.n_tokens)
        for cell, row in enumerate(rows):
            count_of[ids[row]] = found[row]
            own = slice(places[cell] + 1, places[cell + 1])
            values[own] = np.log1p(count_of[shown[own]] / medians[shown[own]]) / np.log(2)
        return Tokens(places, shown, sources, values=values)

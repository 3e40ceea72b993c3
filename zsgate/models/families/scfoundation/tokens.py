"""scFoundation's input: the genes of a cell that have counts, with their log-normalised values, and two totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.models.pretrained.gene_order import GeneOrder, log_normalise
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    import scipy.sparse as sp

TARGET = 4.0  # log10 of the counts that the target total T stands for: upstream's t4
TOTALS = 2  # tokens behind a cell's genes: T and S


@dataclass(frozen=True)
class ScFoundationTokenizer:
    """scFoundation's tokens over CSR counts: genes in their order, then T, the target total, and S, the cell's own.

    Values are log(1 + counts scaled to 10,000 over the known genes); T is 4, S log10 of the known counts.

    Attributes
    ----------
    genes
        The genes by their tokens; the two tokens behind them are T and S.
    """

    genes: GeneOrder

    def __call__(self, counts: sp.csr_matrix, columns: npt.NDArray[np.int32]) -> Tokens:
        """Return the tokens of all cells; columns of the same gene are summed.

        Parameters
        ----------
        counts
            Shape (n_cells, n_genes of the dataset).
        columns
            Token of each of the dataset's genes, int32; -1 without.
        """
        aligned = self.genes.align(counts, columns)
        totals = np.asarray(aligned.sum(axis=1), dtype=np.float64).ravel()
        values = log_normalise(aligned)
        column_of = np.full(len(self.genes), -1, np.int32)
        known = np.flatnonzero(columns >= 0)[::-1]  # of columns of the same gene the first
        column_of[columns[known]] = known
        offsets = values.indptr.astype(np.int64) + TOTALS * np.arange(len(totals) + 1)
        target, own = offsets[1:] - 2, offsets[1:] - 1
        is_gene = np.ones(offsets[-1], dtype=bool)
        is_gene[target] = is_gene[own] = False
        ids, sources = np.empty(offsets[-1], np.int32), np.full(offsets[-1], -1, np.int32)
        shown = np.empty(offsets[-1], np.float32)
        ids[is_gene], sources[is_gene], shown[is_gene] = values.indices, column_of[values.indices], values.data
        ids[target], shown[target] = len(self.genes), TARGET
        ids[own], shown[own] = len(self.genes) + 1, np.log10(totals)
        return Tokens(offsets, ids, sources, values=shown)

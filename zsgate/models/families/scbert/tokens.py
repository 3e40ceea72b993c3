"""scBERT's input: every gene of the model's list in one of six classes of expression, those above 0 as tokens.

The preparation is that of upstream's ``preprocess.py`` and ``pretrain.py``: counts in the model's order scaled to
10,000 a cell, log base 2 of 1 + x, whole part, at most 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    import scipy.sparse as sp

HIGHEST = 5  # class of everything from there on
TARGET = 1e4  # counts a cell is scaled to


def classify(counts: sp.csr_matrix) -> npt.NDArray[np.int8]:
    """Return the class of each stored count, int8 (n_stored,), in the floating point steps of scanpy.

    Parameters
    ----------
    counts
        Float32, in the model's order: a cell is scaled by the counts of the model's genes alone.
    """
    totals = np.asarray(counts.sum(axis=1)).ravel() / np.float32(TARGET)
    values = counts.data / np.repeat(totals.astype(np.float32), np.diff(counts.indptr))
    classes: npt.NDArray[np.int8] = np.minimum(np.log1p(values) / np.float32(np.log(2)), HIGHEST).astype(np.int8)
    return classes


@dataclass(frozen=True)
class ScBERTTokenizer:
    """scBERT's tokeniser over CSR counts.

    Attributes
    ----------
    genes
        The model's list.
    """

    genes: GeneOrder

    def __call__(self, counts: sp.csr_matrix, columns: npt.NDArray[np.int32]) -> Tokens:
        """Return each cell's genes above class 0 behind the token that follows the genes, which has class 0.

        Parameters
        ----------
        counts
            Shape (n_cells, n_genes of the dataset).
        columns
            Place of each of the dataset's genes in the model's list, -1 without one; those of a gene are summed.
        """
        aligned = self.genes.align(counts, columns)
        classes = classify(aligned)
        kept = classes > 0
        ends = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[aligned.indptr]
        first = ends[:-1]  # where the token behind the genes is put in
        column_of = np.full(len(self.genes), -1, np.int32)
        column_of[columns[columns >= 0]] = np.flatnonzero(columns >= 0)
        places = aligned.indices[kept]
        return Tokens(
            ends + np.arange(len(ends)),
            np.insert(places, first, len(self.genes)).astype(np.int32),
            np.insert(column_of[places], first, -1).astype(np.int32),
            np.insert(classes[kept], first, 0).astype(np.int8),
        )

"""Tokens: which genes of a cell the model reads, and with which values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch

CLASS, PAD, FIRST_GENE = 0, 1, 2  # tokens
LONGEST = 256  # genes of a cell that are read; of more, those that stand first in the vocabulary
SCALE = 10_000.0  # a cell's counts after normalisation
KNOWN = 0.1  # share of the vocabulary that a dataset must have

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Cells as the network takes them, each of shape (n_cells, 1 + longest cell), the class token first.

    ``tokens`` are int64; ``values`` log-normalised expression; ``hidden`` says where the value must not be seen and
    ``padding`` where there is no gene.
    """

    tokens: torch.Tensor
    values: torch.Tensor
    hidden: torch.Tensor
    padding: torch.Tensor

    @property
    def shown(self) -> torch.Tensor:
        """Where a gene stands whose value is seen."""
        shown = ~(self.hidden | self.padding)
        shown[:, 0] = False
        return shown


@dataclass(frozen=True)
class Cells:
    """Counts of the vocabulary's genes, a cell's entries in the vocabulary's order.

    Attributes
    ----------
    counts
        CSR (n_cells, n_vocabulary); where a count is hidden a 0 is stored.
    total
        Sum of each cell's shown counts over all genes, known or not, (n_cells,).
    share_shown
        Share of its expressed genes that are shown, (n_cells,).
    hidden
        Which stored entries are hidden, (n_entries,).
    columns
        Column of the AnnData of each vocabulary gene, or -1, (n_vocabulary,).
    """

    counts: sp.csr_matrix
    total: npt.NDArray[np.float64]
    share_shown: npt.NDArray[np.float64]
    hidden: npt.NDArray[np.bool_]
    columns: Integers = field(repr=False)

    def __len__(self) -> int:
        return self.counts.shape[0]

    @property
    def lengths(self) -> Integers:
        """Number of genes that are read of each cell."""
        return np.minimum(np.diff(self.counts.indptr), LONGEST).astype(np.int64)

    def entries(self, rows: Integers) -> Integers:
        """Return the vocabulary's place of each gene that is read of some cells, cell after cell."""
        return self.counts.indices[self._read(rows)].astype(np.int64)

    def _read(self, rows: Integers) -> Integers:
        """Return which stored entries are read of some cells."""
        lengths = self.lengths[rows]
        place = np.arange(lengths.max(initial=0))
        entries: Integers = (self.counts.indptr[rows].astype(np.int64)[:, None] + place)[place < lengths[:, None]]
        return entries

    def batch(self, rows: Integers) -> Batch:
        """Return some cells as the network takes them, each read by the genes that stand first in the vocabulary."""
        entry, lengths = self._read(rows), self.lengths[rows]
        scale = np.divide(SCALE * self.share_shown, self.total, out=np.zeros(len(self)), where=self.total > 0)[rows]
        values = np.log1p(self.counts.data[entry] * np.repeat(scale, lengths))
        return pack(lengths, self.counts.indices[entry], values, self.hidden[entry])

    def batches(self, size: int) -> Iterator[tuple[Integers, Batch]]:
        """Yield (rows, batch) of all cells, those of like length together."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), size):
            yield order[start : start + size], self.batch(order[start : start + size])


def pack(lengths: Integers, genes: Integers, values: Floats, hidden: npt.NDArray[np.bool_]) -> Batch:
    """Return cells as the network takes them.

    Parameters
    ----------
    lengths
        Number of entries of each cell, (n_cells,).
    genes, values, hidden
        Place in the vocabulary, log-normalised expression, and whether it is hidden, of each entry, cell after cell.
    """
    there = np.arange(lengths.max(initial=0)) < lengths[:, None]
    shape = (len(lengths), 1 + there.shape[1])
    batch = np.full(shape, PAD), np.zeros(shape, np.float32), np.zeros(shape, bool)
    batch[0][:, 0] = CLASS
    for table, entries in zip(batch, (genes + FIRST_GENE, values, hidden), strict=True):
        table[:, 1:][there] = entries
    return Batch(*(torch.from_numpy(each) for each in (*batch, batch[0] == PAD)))


def read(
    counts: sp.csr_matrix, genes: Sequence[str], vocabulary: Sequence[str], hidden: sp.csr_matrix | None = None
) -> Cells:
    """Return cells by the genes of a vocabulary.

    Parameters
    ----------
    counts
        Raw counts, (n_cells, n_genes).
    genes
        Ensembl id of each column.
    vocabulary
        Ensembl ids.
    hidden
        Which counts are hidden, with the indices of ``counts``; None where all are shown.

    Raises
    ------
    ValueError
        If fewer than a tenth of the vocabulary is there.
    """
    place = {gene: column for column, gene in enumerate(genes)}
    columns = np.array([place.get(gene, -1) for gene in vocabulary])
    known = np.flatnonzero(columns >= 0)
    if len(known) < KNOWN * len(vocabulary):
        msg = f"{len(known)} of the {len(vocabulary)} genes of the vocabulary are there; they go by Ensembl ids"
        raise ValueError(msg)
    if hidden is None:
        hidden = sp.csr_matrix((np.zeros(counts.nnz, bool), counts.indices, counts.indptr), counts.shape)
    expressed = np.diff(counts.indptr)
    n_hidden = np.asarray(hidden.sum(axis=1)).ravel()
    found, marks = (_columns(each, columns[known], known, len(vocabulary)) for each in (counts, hidden))
    return Cells(
        counts=found,
        total=np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel(),
        share_shown=1 - n_hidden / np.maximum(expressed, 1),
        hidden=marks.data.astype(bool),
        columns=columns,
    )


def _columns(matrix: sp.csr_matrix, columns: Integers, known: Integers, width: int) -> sp.csr_matrix:
    """Return some columns, each at its place in the vocabulary; stored zeros stay, for they stand for hidden counts."""
    some = matrix[:, columns].tocsr()
    some.sort_indices()
    return sp.csr_matrix((some.data, known[some.indices], some.indptr), (matrix.shape[0], width))


def log_normalised(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return log(1 + counts scaled to 10,000 a cell)."""
    values = counts.astype(np.float64)
    total = np.asarray(values.sum(axis=1)).ravel()
    values.data = np.log1p(values.data * SCALE / np.repeat(np.maximum(total, 1), np.diff(values.indptr)))
    return values


def choose_genes(counts: sp.csr_matrix, studies: npt.NDArray[np.str_], n_genes: int) -> Integers:
    """Return the columns of the genes that vary most, the most variable first.

    In each study genes are put into 20 bins by their mean log-normalised expression; a gene's score is its variance
    over the median of its bin, averaged over studies. Genes that fewer than 1 % of a study's cells express score 0
    there.

    Parameters
    ----------
    counts
        Raw counts, (n_cells, n_genes).
    studies
        Study of each cell.
    n_genes
        How many are wanted.
    """
    scores = np.zeros(counts.shape[1])
    for study in np.unique(studies):
        values = log_normalised(counts[studies == study])
        mean = np.asarray(values.mean(axis=0)).ravel()
        variance = np.asarray(values.multiply(values).mean(axis=0)).ravel() - mean**2
        often = np.flatnonzero(values.getnnz(axis=0) >= 0.01 * values.shape[0])
        for genes in np.array_split(often[np.argsort(mean[often], kind="stable")], 20):
            scores[genes] += variance[genes] / np.median(variance[genes])
    return np.argsort(-scores, kind="stable")[:n_genes]

"""Hiding: which genes of a cell are hidden, and the cells as a model gets them that must not see these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.system import arrays
from zsgate.system.hashing import INCREMENT, mix

if TYPE_CHECKING:
    import anndata

    from zsgate.data.dataset import Dataset

Integers = npt.NDArray[np.integer[Any]]
LAYER = "hidden"  # of the AnnData: which of its counts are hidden
WINDOW = 2048  # cells whose order of genes is held at a time


def hidden(
    offsets: Integers,
    genes: Integers,
    share: float,
    seed: int = 0,
    *,
    expressed: tuple[Integers, Integers] | None = None,
) -> npt.NDArray[np.bool_]:
    """Return which entries to hide: ``share`` of each cell's (if any, then at least one), bool (n_entries,).

    All genes that a cell expresses have an order, and those first in it are hidden. It depends on the columns of the
    expressed genes and on the seed alone: the same in any window, process or model. So two models that read the same
    genes of a cell have the same ones hidden, and one that reads fewer has those hidden that come first among its own.

    Parameters
    ----------
    offsets
        Where each cell's entries begin and the last one's end, (n_cells + 1,).
    genes
        The dataset's column of each entry's gene, distinct in a cell, (n_entries,), in any order.
    share
        Share to hide, 0 to 1.
    seed
        Another seed hides others.
    expressed
        Offsets and genes of all that the cells express, for a model that reads only some of it; None takes the
        entries themselves.
    """
    lengths = np.diff(offsets)
    cell = np.repeat(np.arange(len(lengths)), lengths)
    of_cell = mix(_sums(*((offsets, genes) if expressed is None else expressed), seed))
    place = np.empty(len(genes), np.int64)
    place[np.lexsort((mix(_words(genes, seed) ^ of_cell[cell]), cell))] = np.arange(len(genes))
    wanted = np.where(share > 0, np.maximum(1, np.rint(share * lengths)), 0)
    return place - np.repeat(offsets[:-1], lengths) < wanted[cell]


def _words(genes: Integers, seed: int) -> npt.NDArray[np.uint64]:
    """Return a word for each gene that looks random and is fixed by its column and the seed."""
    return mix(genes.astype(np.uint64) + np.uint64(seed * INCREMENT % 2**64))


def _sums(offsets: Integers, genes: Integers, seed: int) -> npt.NDArray[np.uint64]:
    """Return for each cell the sum of its genes' words modulo 2 ** 64, the same in any order, (n_cells,)."""
    sums = np.zeros(len(offsets) - 1, np.uint64)
    np.add.at(sums, np.repeat(np.arange(len(sums)), np.diff(offsets)), _words(genes, seed))
    return sums


def hide(dataset: Dataset, share: float, seed: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return (the counts that are shown, which entries are hidden), both with the indices of the dataset's counts.

    Where a count is hidden a 0 is stored, so that the indices are still the genes that a cell expresses. Neither leads
    back to the counts.

    Parameters
    ----------
    dataset
        Cells.
    share
        Share to hide, 0 to 1.
    seed
        Another seed hides others.
    """
    shown, mask = _copied(dataset.counts, dataset.counts.dtype), _copied(dataset.counts, np.dtype(bool))
    for start in range(0, dataset.n_cells, WINDOW):
        rows = dataset.counts[start : start + WINDOW]
        here = slice(shown.indptr[start], shown.indptr[start] + rows.nnz)
        mask.data[here] = hidden(rows.indptr, rows.indices, share, seed)
        shown.data[here] = np.where(mask.data[here], 0, rows.data)
    return shown, mask


def blinded(dataset: Dataset, share: float, seed: int, *, batches: bool = False) -> anndata.AnnData:
    """Return a fresh AnnData in which ``share`` of each cell's counts are hidden, as :func:`hide` hides them.

    ``layers["hidden"]``, bool and with the same indices, says which.
    """
    shown, mask = hide(dataset, share, seed)
    adata = dataset.to_anndata(shown, batches=batches)
    adata.layers[LAYER] = mask
    return adata


def _copied(counts: sp.csr_matrix, dtype: np.dtype[Any]) -> sp.csr_matrix:
    """Return a matrix with the indices of the counts and values yet to come; large arrays of it lie on disk."""
    data, indices = arrays.empty(counts.data.shape, dtype), arrays.empty(counts.indices.shape, counts.indices.dtype)
    for part in arrays.stretches(indices):
        indices[part] = counts.indices[part]
    copy = sp.csr_matrix((data, indices, np.array(counts.indptr)), shape=counts.shape, copy=False)
    copy.has_sorted_indices = copy.has_canonical_format = True  # as those of a dataset are
    return copy

"""Targets: what a perfect model would say of a gene. They come from the dataset, not from whoever predicts.

On the scales ``counts`` and ``lognorm`` the target follows from the counts. A model's own bins and ranks do not; of
these it is checked that bins do not fall as counts rise in a cell, and that ranks are a cell's 1 to 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.preprocess import logged
from zsgate.errors import CandidateFailed
from zsgate.models.reconstruction.hiding import LAYER, hidden
from zsgate.models.reconstruction.reconstruction import Reconstruction

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

NEAR = 1e-4  # relative or absolute; float32 rounds a logarithm to 1e-7
STEP = 1e-5  # of ranks; two neighbours of a cell of 10,000 genes are 1e-4 apart
MEANING = {"counts": "count", "lognorm": "log(1 + counts scaled to 10,000 a cell)"}

Values = npt.NDArray[np.float32]


def refuse_untrue(part: Reconstruction, dataset: Dataset) -> None:
    """Refuse targets that cannot be those of the dataset's cells.

    Parameters
    ----------
    part
        A window that fits the dataset, its targets finite.
    dataset
        All cells.

    Raises
    ------
    CandidateFailed
        If a count or its logarithm is another one, a bin falls as counts rise within a cell, or the ranks of a cell
        are not evenly spaced from 1 to 0.
    """
    if part.scale == "rank":
        _refuse_other_ranks(part, dataset)
    elif part.scale == "bin":
        _refuse_falling_bins(part, dataset)
    else:
        _compare(part, truth(part, dataset), np.ones(len(part.target), dtype=bool), dataset)


def truth(part: Reconstruction, dataset: Dataset) -> Values:
    """Return the target of each entry on the scale ``"counts"`` or ``"lognorm"``, float32 (n_entries,)."""
    counts = dataset.counts[part.cells]
    if part.scale == "lognorm":
        ((_, counts),) = logged([(slice(None), counts)])
    return _at(counts, part).astype(np.float32)


def settled(
    part: Reconstruction, dataset: Dataset, share: float, seed: int, own: Callable[[Dataset], Any] | None
) -> Reconstruction:
    """Return a window of a model that was not shown what is hidden, with the targets that it cannot know.

    Parameters
    ----------
    part
        What the model says; what it says of targets that are hidden is not read.
    dataset
        All cells, nothing hidden.
    share, seed
        What was hidden from it.
    own
        On a scale of the model's own, what gives its targets of whole cells, (n_cells, n_genes); asked only now that
        the predictions are given.

    Raises
    ------
    CandidateFailed
        If the model takes other genes for hidden, or states other targets for what it was shown.
    """
    counts = dataset.counts[part.cells]
    mask = hidden(counts.indptr, counts.indices, share, seed)
    hides = _at(sp.csr_matrix((mask, counts.indices, counts.indptr), shape=counts.shape), part).astype(bool)
    if not np.array_equal(hides, part.masked):
        wrong = int((hides != part.masked).sum())
        msg = (
            f"reconstruct is mistaken in {wrong} of {len(hides)} entries about which genes are hidden; "
            f'layers["{LAYER}"] of the AnnData says it'
        )
        raise CandidateFailed(msg)
    if part.scale == "rank":
        return part
    if own is not None:
        return replace(part, target=_own_targets(part, own(dataset.subset(part.cells)), counts.shape))
    found = truth(part, dataset)
    if not share or part.scale == "counts":  # with genes hidden, a model does not know a cell's sum
        _compare(part, found, ~hides, dataset)
    return replace(part, target=found)


def _at(rows: sp.csr_matrix, part: Reconstruction) -> npt.NDArray[Any]:
    """Return the value of each entry in the window's rows, 0 where none is stored; indices are sorted."""
    n_genes = rows.shape[1]
    asked = part.cell_of_entry * n_genes + part.genes
    stored = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)) * n_genes + rows.indices
    if not len(stored):
        return np.zeros(len(asked), rows.dtype)
    place = np.minimum(np.searchsorted(stored, asked), len(stored) - 1)
    found: npt.NDArray[Any] = np.where(stored[place] == asked, rows.data[place], rows.dtype.type(0))
    return found


def _own_targets(part: Reconstruction, given: Any, shape: tuple[int, int]) -> Values:
    values = given if sp.issparse(given) else np.asarray(given)
    if values.shape != shape:
        msg = f"targets gave {type(given).__name__} of shape {values.shape} for {shape[0]} cells and {shape[1]} genes"
        raise CandidateFailed(msg)
    if not sp.issparse(values):
        found: Values = values[part.cell_of_entry, part.genes].astype(np.float32)
        return found
    rows = sp.csr_matrix(values, copy=True)
    rows.sum_duplicates()
    return _at(rows, part).astype(np.float32)


def _compare(part: Reconstruction, known: Values, where: npt.NDArray[np.bool_], dataset: Dataset) -> None:
    wrong = np.flatnonzero(where & ~np.isclose(part.target, known, rtol=NEAR, atol=NEAR))
    if len(wrong):
        first = int(wrong[0])
        msg = (
            f"reconstruct states the target {part.target[first]:g} for {_entry(part, first, dataset)}, whose "
            f"{MEANING[part.scale]} is {known[first]:g}; {len(wrong)} of {len(known)} targets are not the dataset's"
        )
        raise CandidateFailed(msg)


def _refuse_falling_bins(part: Reconstruction, dataset: Dataset) -> None:
    counts, owner = _at(dataset.counts[part.cells], part), part.cell_of_entry
    order = np.lexsort((part.target, counts, owner))  # of equal counts a tokeniser may draw the bins
    falls = (np.diff(part.target[order]) < 0) & (np.diff(owner[order]) == 0)
    if falls.any():
        low, high = order[np.flatnonzero(falls)[0] + np.arange(2)].tolist()
        msg = (
            f"reconstruct states bin {part.target[high]:g} for {_entry(part, high, dataset)} with count "
            f"{counts[high]:g}, and bin {part.target[low]:g} for its gene {dataset.symbols[part.genes[low]]} with "
            f"count {counts[low]:g}: in a cell bins must not fall as counts rise"
        )
        raise CandidateFailed(msg)


def _refuse_other_ranks(part: Reconstruction, dataset: Dataset) -> None:
    lengths, owner = np.diff(part.offsets), part.cell_of_entry
    order = np.lexsort((-part.target, owner))
    place = np.arange(len(owner)) - np.repeat(part.offsets[:-1], lengths)
    last = np.maximum(np.repeat(lengths, lengths) - 1, 1)
    expected = (np.repeat(lengths - 1, lengths) - place) / last
    alone = np.repeat(lengths == 1, lengths) & (part.target == 1)  # a cell's only gene is its first and its last
    stated = np.where(alone, expected, part.target[order])
    wrong = np.flatnonzero(np.abs(stated - expected) > STEP)
    if len(wrong):
        cell = int(owner[order[wrong[0]]])
        msg = (
            f"reconstruct states ranks of cell {dataset.cell_ids[part.cells[cell]]} that are not those of its "
            f"{lengths[cell]} genes, evenly spaced from 1 for the first to 0 for the last"
        )
        raise CandidateFailed(msg)


def _entry(part: Reconstruction, entry: int, dataset: Dataset) -> str:
    cell = part.cells[int(part.cell_of_entry[entry])]
    return f"gene {dataset.symbols[part.genes[entry]]} of cell {dataset.cell_ids[cell]}"

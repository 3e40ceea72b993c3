"""Forms: how the same cells can be presented otherwise, which must change no row.

A form is made of a number that Hypothesis draws, so each is tried in more than one way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter, is_foreign

Positions = npt.NDArray[np.intp]
STRANGERS = 50  # genes by names that nobody knows
NUMBERS = ("int64", "int32", "float64")  # what tools hold counts as; a dataset's are float32


@dataclass(frozen=True, slots=True)
class Presented:
    """Cells in another form.

    Attributes
    ----------
    dataset
        As a model is to embed them.
    cells
        Position of each among the cells as they were.
    detail
        Which way of several it is, for behind the form's words.
    """

    dataset: Dataset
    cells: Positions
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """Another form of the same cells.

    Attributes
    ----------
    words
        What is other about it, for "another row ...".
    of
        Makes it of the cells and a number.
    """

    words: str
    of: Callable[[Dataset, int], Presented]


def forms_for(model: Adapter, dataset: Dataset) -> Iterator[Form]:
    """Yield the forms in which a model must know these cells again.

    A model that looks across cells is not asked for cells by themselves or in another order. Names are left out only
    where a model says which ones it reads; types of numbers only matter to who is given an AnnData.
    """
    yield Form("with the genes in another order", _genes_reordered)
    yield Form("with other genes listed that none of these cells expresses", _other_genes_listed)
    if model.info.independent_cells:
        yield Form("with the cells in another order", _cells_reordered)
        yield Form("alone, without the other cells", _alone)
    if dataset.ensembl is not None and model.info.gene_ids == "symbol":
        yield Form("with gene symbols and no Ensembl ids", _symbols_only)
    if dataset.ensembl is not None and model.info.gene_ids == "ensembl":
        yield Form("with Ensembl ids and no gene symbols", _ensembl_only)
    if is_foreign(model):
        yield Form("with the same counts held as another type of number", other_numbers)


def with_clear_names(dataset: Dataset) -> Dataset:
    """Return the dataset without genes that share a symbol, where ids tell them apart and a symbol alone could not."""
    if dataset.ensembl is None:
        return dataset
    _, first, times = np.unique(dataset.symbols, return_index=True, return_counts=True)
    return dataset.with_genes(np.sort(first[times == 1]))


def other_numbers(dataset: Dataset, number: int) -> Presented:
    """Return the cells such that AnnData holds their counts as integers or doubles."""
    held = NUMBERS[number % len(NUMBERS)]
    return replace(_all(replace(dataset, number=held)), detail=f", {held}")


def _all(dataset: Dataset) -> Presented:
    return Presented(dataset, np.arange(dataset.n_cells))


def _genes_reordered(dataset: Dataset, number: int) -> Presented:
    return _all(dataset.with_genes(np.random.default_rng(number).permutation(len(dataset.symbols))))


def _cells_reordered(dataset: Dataset, number: int) -> Presented:
    order = np.random.default_rng(number).permutation(dataset.n_cells)
    return Presented(dataset.subset(order), order)


def _alone(dataset: Dataset, number: int) -> Presented:
    cell = np.array([number % dataset.n_cells])
    return Presented(dataset.subset(cell), cell)


def _symbols_only(dataset: Dataset, number: int) -> Presented:
    return _all(replace(dataset, ensembl=None))


def _ensembl_only(dataset: Dataset, number: int) -> Presented:
    assert dataset.ensembl is not None
    return _all(replace(dataset, symbols=dataset.ensembl))


def _other_genes_listed(dataset: Dataset, number: int) -> Presented:
    """Return the cells without half of the genes that none expresses, and with as many as 50 of unknown names."""
    chance = np.random.default_rng(number)
    expressed = dataset.counts.getnnz(axis=0) > 0
    rest = dataset.with_genes(np.flatnonzero(expressed | (chance.random(len(expressed)) < 0.5)))
    names = np.array([f"ZSGATE-UNKNOWN-{place}" for place in range(STRANGERS)])
    none = sp.csr_matrix((dataset.n_cells, STRANGERS), dtype=np.float32)
    order = chance.permutation(len(rest.symbols) + STRANGERS)
    # in their own order the others stay, so that nothing else is changed
    order[order < len(rest.symbols)] = np.arange(len(rest.symbols))
    return _all(
        replace(
            rest,
            counts=sp.hstack([rest.counts, none], format="csr")[:, order],
            symbols=np.concatenate([rest.symbols, names])[order],
            ensembl=None if rest.ensembl is None else np.concatenate([rest.ensembl, names])[order],
        )
    )

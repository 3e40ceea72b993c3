"""Perturbations: what sequencing less, measuring fewer genes or a leaking droplet makes of the same cells' counts.

Random numbers are keyed by the names of cells and genes, so neither the order of a file nor the other genes that it
lists decide. A cell that would be left without a count stays as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.dataset import Dataset

DEPTH = 0.5  # share of the counts that stay
MISSING = 0.2  # share of the genes that are taken away
PANEL = 1_000  # genes of a usual panel: 10x Genomics' targeted panels have 1,056 to 1,253, CosMx's smaller one 1,000
AMBIENT = 0.1  # share of a cell's counts that come from the medium: what SoupX finds in ordinary droplets is 2 to 20 %

Perturbation = Callable[[Dataset], Dataset]
Integers = npt.NDArray[np.int64]
# given the random numbers of a cell and its genes and counts, returns others; genes may repeat
OfCell = Callable[[np.random.Generator, Integers, Integers], tuple[Integers, Integers]]


def depth(dataset: Dataset) -> Dataset:
    """Return the cells at half their depth: each molecule is kept with probability 1/2."""
    return _cell_by_cell(dataset, "depth", lambda chance, genes, counts: (genes, chance.binomial(counts, DEPTH)))


def ambient(dataset: Dataset) -> Dataset:
    """Return the cells with a tenth of their counts from the medium, totals as they were.

    Each molecule is lost with probability 1/10, and as many as are lost are drawn from the sum of all cells, which is
    what free-floating RNA is made of (Young and Behjati 2020, GigaScience 9:giaa151).
    """
    order = np.argsort(_names(dataset))
    profile = np.cumsum(np.asarray(dataset.counts.sum(axis=0, dtype=np.float64)).ravel()[order].astype(np.int64))

    def soiled(chance: np.random.Generator, genes: Integers, counts: Integers) -> tuple[Integers, Integers]:
        lost = chance.binomial(counts, AMBIENT)
        drawn = np.searchsorted(profile, chance.integers(0, profile[-1], lost.sum()), side="right")
        return np.concatenate([genes, drawn]), np.concatenate([counts - lost, np.ones(len(drawn), dtype=np.int64)])

    return _cell_by_cell(dataset, "ambient", soiled)


def missing_genes(dataset: Dataset) -> Dataset:
    """Return the cells without a fifth of the genes, the same in every cell and every dataset."""
    kept = [_key("missing", gene) >= MISSING * 2**64 for gene in _names(dataset).tolist()]
    return _only(dataset, "missing_genes", np.array(kept))


def panel_genes(dataset: Dataset) -> Dataset:
    """Return the cells with the counts of the 1,000 genes that have most, of equal ones the first by name.

    A panel's genes are chosen by experts for a tissue. Most counts is the choice that knows neither labels nor what
    varies, so it favours none of the compared: the genes that vary most would be those that ``hvg`` consists of.
    """
    totals = np.asarray(dataset.counts.sum(axis=0, dtype=np.float64)).ravel()
    kept = np.zeros(len(totals), dtype=bool)
    kept[np.lexsort((_names(dataset), -totals))[:PANEL]] = True
    return _only(dataset, "panel_genes", kept)


def _only(dataset: Dataset, what: str, genes: npt.NDArray[np.bool_]) -> Dataset:
    return _with_counts(dataset, what, dataset.counts @ sp.diags(genes.astype(np.float32), format="csr"))


def _cell_by_cell(dataset: Dataset, what: str, change: OfCell) -> Dataset:
    """Return the dataset with each cell's counts changed; genes are numbered by their names, ascending."""
    counts = dataset.counts
    order = np.argsort(_names(dataset))
    number = np.argsort(order)
    rows, columns, values = [], [], []
    for cell, name in enumerate(dataset.cell_ids.tolist()):
        here = slice(counts.indptr[cell], counts.indptr[cell + 1])
        numbers = number[counts.indices[here]]
        line = np.argsort(numbers)
        chance = np.random.default_rng(_key(what, name))
        genes, found = change(chance, numbers[line], counts.data[here][line].astype(np.int64))
        rows.append(np.full(len(genes), cell))
        columns.append(order[genes])
        values.append(found)
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return _with_counts(dataset, what, sp.csr_matrix(entries, shape=counts.shape, dtype=np.float32))


def _with_counts(dataset: Dataset, what: str, counts: sp.csr_matrix) -> Dataset:
    empty = np.asarray(counts.sum(axis=1)).ravel() == 0
    counts = counts + sp.diags(empty.astype(np.float32), format="csr") @ dataset.counts
    return replace(dataset, name=f"{dataset.name} {what}", counts=counts, expression=None)


def _names(dataset: Dataset) -> npt.NDArray[np.str_]:
    """Return a unique name of each gene."""
    return dataset.symbols if dataset.ensembl is None else dataset.ensembl


def _key(what: str, name: str) -> int:
    """Return a number from 0 to below 2**64 that nothing but the text decides."""
    return int.from_bytes(hashlib.sha256(f"zsgate:{what}:{name}".encode()).digest()[:8])

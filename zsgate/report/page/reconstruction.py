"""Reconstruction on the page: a table beside the noise floor, and small plots as SVG paths in a box of 200."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zsgate.report.record.reconstruction import DensityRecord, GeneErrors, ReconstructionRecord
from zsgate.report.record.run import Record
from zsgate.report.words import NOTHING, number

BOX = 200.0
SHADES = 6
LITTLE = 0.02  # of the average's error above the floor: less is nothing to win
MEANS = ("mean", "gene_mean", "cell_gene_mean")
SIDES = ("candidate", *MEANS, "average_rank", "identity_copy")
_NAMES = {
    "gep": "from the gene's place (GEP)",
    "gepc": "from the cell's embedding (GEPC)",
    "token": "model",
    "average_rank": "average rank of the gene",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One statistic at one share: the values of all sides as words, the floor, and what to make of them."""

    statistic: str
    hidden: str
    values: list[tuple[str, str]]
    floor: str
    remark: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: ``layers`` holds (class, opacity, path); ticks are (position, label), y upwards from the bottom."""

    title: str
    across: str
    up: str
    layers: list[tuple[str, float, str]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    diagonal: bool


@dataclass(frozen=True, slots=True)
class Block:
    """What the page shows of one dataset's reconstruction; ``floors`` tells whether a noise floor is known."""

    columns: list[str]
    rows: list[Row]
    figures: list[tuple[str, list[Plot]]]
    floors: bool
    in_sample: bool
    groups: str


def block(record: Record, dataset: str) -> Block | None:
    """Return what there is of a dataset's reconstruction, or None."""
    entries = [entry for entry in record.reconstruction if entry.dataset == dataset]
    if not entries:
        return None
    columns = [side for side in SIDES if any(side in sides for e in entries for sides in e.values.values())]
    return Block(
        columns,
        [_row(entry, statistic, columns) for entry in entries for statistic in entry.values],
        [(_hidden(entry), plots(entry)) for entry in entries if plots(entry)],
        any(entry.noise_floor is not None for entry in entries),
        any(entry.in_sample for entry in entries),
        entries[0].groups,
    )


def _hidden(entry: ReconstructionRecord) -> str:
    return f"{100 * entry.masked:g} % of the genes hidden" if entry.masked else "every gene shown"


def _row(entry: ReconstructionRecord, statistic: str, columns: Sequence[str]) -> Row:
    sides = entry.values[statistic]
    floor = entry.noise_floor if statistic.startswith("mse_") else None
    head = statistic.removeprefix("mse_") if statistic.startswith("mse_") else "token"
    return Row(
        statistic,
        _hidden(entry),
        [(side, number(sides.get(side))) for side in columns],
        NOTHING if floor is None else number(floor),
        "; ".join(filter(None, [_copies(entry, head), _left_to_win(entry, sides, floor)])),
    )


def _copies(entry: ReconstructionRecord, head: str) -> str:
    copied = entry.copied.get(head)
    return "returns what it is shown" if copied is not None and copied <= entry.nearly else ""


def _left_to_win(entry: ReconstructionRecord, sides: Mapping[str, float | None], floor: float | None) -> str:
    """Say how much of the best average's error a model can take away; nothing can be said where genes are shown."""
    known = [value for name in MEANS if (value := sides.get(name)) is not None]
    if floor is None or not known:
        return ""
    if not entry.masked:
        return "a model shown the drawn bins can go below the floor"
    left = min(known) - floor
    if left <= LITTLE * min(known):
        return "the averages are at the floor: there is nothing to win"
    return f"of the averages' {number(min(known))} at most {number(left)} can be won; the rest is the floor"


def plots(entry: ReconstructionRecord) -> list[Plot]:
    """Return an entry's densities of predicted against true values, and its genes' errors by mean value."""
    figures, ranks = entry.figures, entry.scale == "rank"
    what = "rank" if ranks else entry.scale if entry.scale != "lognorm" else "log-normalised count"
    drawn = [
        _density(_NAMES.get(name, name), f"true {what}", f"predicted {what}", grid)
        for name, grid in figures.densities.items()
    ]
    if figures.genes and figures.genes.mean:
        heads = [name for name in figures.genes.errors if name != "gene_mean"]
        drawn += [_genes(_NAMES.get(head, head), what, figures.genes, head) for head in heads]
    return drawn


def _density(title: str, across: str, up: str, grid: DensityRecord) -> Plot:
    """Return a density in shades; a shade is a share of the square root of the fullest cell's count."""
    counts = grid.counts
    size = BOX / max(len(counts), 1)
    fullest = math.sqrt(max((count for row in counts for count in row), default=0) or 1)
    paths = [""] * (SHADES + 1)
    for y, row in enumerate(counts):
        shades = [min(SHADES, math.ceil(SHADES * math.sqrt(count) / fullest)) for count in row] + [-1]
        start = 0
        for x in range(1, len(shades)):
            if shades[x] != shades[start]:
                width = _short((x - start) * size)
                paths[shades[start]] += (
                    f"M{_short(start * size)} {_short(BOX - (y + 1) * size)}h{width}v{_short(size)}h-{width}z"
                )
                start = x
    layers = [("shade", round(shade / SHADES, 2), path) for shade, path in enumerate(paths) if shade and path]
    ticks = _ticks(grid.low, grid.high)
    return Plot(title, across, up, layers, ticks, [(BOX - place, label) for place, label in ticks], True)


def _genes(title: str, what: str, genes: GeneErrors, head: str) -> Plot:
    """Return one dot a gene: its mean value across, its squared error up, the average's in grey below the model's."""
    mean, errors = genes.mean, genes.errors
    together = sorted([*errors[head], *errors["gene_mean"]])
    top = together[min(len(together) - 1, int(0.99 * len(together)))] or 1.0
    left, right = min(mean), max(mean)
    span = right - left or 1.0

    def dots(values: Sequence[float]) -> str:
        return "".join(
            f"M{_short(BOX * (x - left) / span)} {_short(BOX * (1 - min(y, top) / top))}h0"
            for x, y in zip(mean, values, strict=True)
        )

    layers = [("average", 0.6, dots(errors["gene_mean"])), ("dots", 0.6, dots(errors[head]))]
    ups = [(BOX - place, label) for place, label in _ticks(0.0, top)]
    return Plot(
        f"{title}, by gene", f"mean {what} of the gene", "squared error", layers, _ticks(left, right), ups, False
    )


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return about four round numbers between ``low`` and ``high`` with their places in the box."""
    if not high > low:
        return []
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    values = [n * step for n in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]
    return [(round(BOX * (value - low) / (high - low), 1), f"{value:g}") for value in values]


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

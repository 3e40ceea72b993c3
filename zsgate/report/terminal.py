"""The table that a terminal shows: baseline x metric, then the sentence why."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zsgate.report.matrix import Cell, Matrix, matrices
from zsgate.report.record import complete
from zsgate.report.sentence import headline, waived
from zsgate.report.words import one_line, signed

_STYLES = {
    "beats": "blue",
    "loses": "bold red",
    "inconclusive": "yellow",
    "error": "bold magenta",
    "not tested": "dim",
}
_COLUMN = len("inconclusive") + 1
_WIDEST_NAME = 16


def table(record: Mapping[str, Any], *, width: int = 80, colour: bool = False) -> str:
    """Return the verdicts of ``record`` as lines of at most ``width`` columns, and the sentence why.

    Parameters
    ----------
    record
        What a run found.
    width
        Columns of the terminal; fewer than 40 count as 40.
    colour
        Whether to colour by escape sequences; a terminal that is none gets plain text.
    """
    whole = complete(record)
    found = matrices(whole)
    width = max(width, 40)
    out = io.StringIO()
    console = Console(
        file=out, width=width, color_system="standard" if colour else None, force_terminal=colour,
        legacy_windows=False, highlight=False, markup=False, emoji=False, no_color=not colour, _environ={},
    )  # fmt: skip
    for matrix in found:
        for start in range(0, len(matrix.metrics), _columns(matrix, width)):
            console.print(_grid(matrix, slice(start, start + _columns(matrix, width))))
            console.print()
    if any(cell.hollow for matrix in found for _, cells in matrix.rows for cell in cells):
        console.print("* for these donors only: the units are groups of cells", style="dim")
    for waiver in whole["waivers"]:
        console.print(Text(one_line(waived(waiver)), style="yellow"))
    console.print(Text(f"{whole['gate'].upper()}: {headline(whole)}", style="bold"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _columns(matrix: Matrix, width: int) -> int:
    """Return how many metrics fit beside each other."""
    name = max([len(matrix.dataset), *(len(baseline) for baseline, _ in matrix.rows)])
    return max(1, (width - min(name, _WIDEST_NAME) - 1) // _COLUMN)


def _grid(matrix: Matrix, columns: slice) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column(Text(one_line(matrix.dataset)), max_width=_WIDEST_NAME, overflow="fold")
    for metric in matrix.metrics[columns]:
        grid.add_column(Text(one_line(metric)), max_width=_COLUMN - 1, overflow="fold")
    for baseline, cells in matrix.rows:
        grid.add_row(Text(one_line(baseline)), *(_cell(cell) for cell in cells[columns]))
    return grid


def _cell(cell: Cell) -> Text:
    text = Text(cell.state + ("*" if cell.hollow else ""), style=_STYLES[cell.state])
    for line in (cell.aside, "" if cell.verdict is None else signed(cell.verdict["difference"])):
        if line:
            text.append(f"\n{line}".replace("−", "-"))
    return text

"""The table that a terminal shows: baseline x metric, then the sentence why."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zsgate.report.grid import GridCell, VerdictGrid, grids
from zsgate.report.record.run import Record
from zsgate.report.sentence import headline, waived
from zsgate.report.words import one_line, signed

_STYLES = {
    "beats": "blue",
    "loses": "bold red",
    "inconclusive": "yellow",
    "error": "bold magenta",
    "not tested": "dim",
    "not applicable": "dim",
}
_COLUMN = len("inconclusive") + 1
_WIDEST_NAME = 16


def table(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """Return the verdicts of ``record`` as lines of at most ``width`` columns, remarks and the sentence why.

    Parameters
    ----------
    record
        What a run found.
    width
        Columns of the terminal; fewer than 40 count as 40.
    colour
        Whether to colour by escape sequences; a terminal that is none gets plain text.
    """
    found = grids(record)
    width = max(width, 40)
    out = io.StringIO()
    console = Console(
        file=out, width=width, color_system="standard" if colour else None, force_terminal=colour,
        legacy_windows=False, highlight=False, markup=False, emoji=False, no_color=not colour, _environ={},
    )  # fmt: skip
    for grid in found:
        for start in range(0, len(grid.metrics), _columns(grid, width)):
            console.print(_table(grid, slice(start, start + _columns(grid, width))))
            console.print()
    if any(cell.these_donors_only for grid in found for _, cells in grid.rows for cell in cells):
        console.print("* for these donors only: the units are groups of cells", style="dim")
    for waiver in record.waivers:
        console.print(Text(one_line(waived(waiver)), style="yellow"))
    for twins in record.twins:
        if twins.remark:
            console.print(Text(one_line(f"remark: {twins.remark}"), style="yellow"))
    console.print(Text(f"{record.gate.upper()}: {headline(record)}", style="bold"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _columns(grid: VerdictGrid, width: int) -> int:
    """Return how many metrics fit beside each other."""
    name = max([len(grid.dataset), len(grid.claim), *(len(baseline) for baseline, _ in grid.rows)])
    return max(1, (width - min(name, _WIDEST_NAME) - 1) // _COLUMN)


def _table(grid: VerdictGrid, columns: slice) -> Table:
    drawn = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    drawn.add_column(
        Text("\n".join(map(one_line, filter(None, (grid.dataset, grid.claim))))),
        max_width=_WIDEST_NAME,
        overflow="fold",
    )
    for metric in grid.metrics[columns]:
        drawn.add_column(Text(one_line(metric)), max_width=_COLUMN - 1, overflow="fold")
    for baseline, cells in grid.rows:
        drawn.add_row(Text(one_line(baseline)), *(_cell(cell) for cell in cells[columns]))
    return drawn


def _cell(cell: GridCell) -> Text:
    text = Text(cell.state + ("*" if cell.these_donors_only else ""), style=_STYLES[cell.state])
    for line in (cell.qualifier, "" if cell.verdict is None else signed(cell.verdict.difference)):
        if line:
            text.append(f"\n{line}".replace("−", "-"))
    return text

"""Markdown: what GitHub shows of a record, every name in it as it is written."""

import re

from zsgate.report.columns import Column, verdict_table
from zsgate.report.grid import GridCell, grids
from zsgate.report.record.run import Record
from zsgate.report.record.verdict import Outcome, VerdictRecord
from zsgate.report.words import MARKS, one_line, signed

LONGEST = 500  # characters of one name or message
_COLUMNS: list[Column[VerdictRecord]] = [
    Column("dataset", lambda v: v.dataset, "text"),
    *verdict_table().only("against", "metric", "outcome", "ours", "theirs", "difference", "interval", "units"),
]


def literal(text: str) -> str:
    """Return ``text`` as Markdown shows it literally, on one line, cut after 500 characters."""
    line = one_line(text)
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", line)


def quiet(text: str) -> str:
    """Return ``text`` as :func:`literal` does, so that GitHub also makes no mention, reference or link of it.

    GitHub looks for ``@name``, ``#1`` and addresses in the text that Markdown has come to, so that no escape hides
    them; a character of no width between does.
    """
    line = re.sub(r"@(?=\w)|(?<=\bwww)(?=\.)|:(?=//)|(?<=\bmailto):", lambda found: f"{found[0]}\u200b", one_line(text))
    return literal(re.sub(r"(#|\bGH-)(?=\d)", "\\1\u200b", line, flags=re.IGNORECASE))


def table(verdicts: list[VerdictRecord]) -> list[str]:
    """Return a table of verdicts, one a row."""
    lines = [
        f"| {' | '.join(column.plain for column in _COLUMNS)} |",
        f"|{'|'.join('--:' if column.kind == 'number' else '---' for column in _COLUMNS)}|",
    ]
    return lines + [f"| {' | '.join(_value(column, verdict) for column in _COLUMNS)} |" for verdict in verdicts]


def _value(column: Column[VerdictRecord], verdict: VerdictRecord) -> str:
    value = column.value(verdict)
    if column.kind == "outcome":
        return f"{MARKS[value]} {value}" + (", not passed" if verdict.outcome is Outcome.BEATS else "")
    return value if column.kind == "number" else literal(value)


def matrices(record: Record) -> list[str]:
    """Return the grids of a record, baselines by metrics, each under its dataset and claim."""
    lines = []
    for grid in grids(record):
        lines += [f"### {', '.join(map(quiet, filter(None, (grid.dataset, grid.claim))))}", ""]
        lines += [
            f"| against | {' | '.join(map(quiet, grid.metrics))} |",
            "|---" * (len(grid.metrics) + 1) + "|",
        ]
        lines += [f"| {quiet(name)} | {' | '.join(map(_shown, cells))} |" for name, cells in grid.rows]
        lines.append("")
    return lines


def _shown(cell: GridCell) -> str:
    qualifier = f", {cell.qualifier}" if cell.qualifier else ""
    value = f" {signed(cell.verdict.difference)}" if cell.verdict else ""
    donors = " (these donors only)" if cell.these_donors_only else ""
    return f"{MARKS[cell.state]} {cell.state}{qualifier}{value}{donors}"


def within(lines: list[str], limit: int) -> str:
    """Return the lines that fit into ``limit`` bytes, and say how many did not."""
    note = "\n\nCut here: {} more lines are in the page of this run.\n"
    room = limit - len(note) - 20
    kept: list[str] = []
    for position, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            return "\n".join(kept) + note.format(len(lines) - position)
        kept.append(line)
    return "\n".join(kept) + "\n"

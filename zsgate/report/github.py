"""GitHub Actions: the step summary in Markdown and annotations, within GitHub's limits."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from zsgate.report.columns import Column, verdict_table
from zsgate.report.grid import GridCell, grids
from zsgate.report.record.evidence import ControlRecord, FailureRecord
from zsgate.report.record.run import Record
from zsgate.report.record.verdict import Outcome, VerdictRecord, missed
from zsgate.report.sentence import headline
from zsgate.report.words import MARKS, one_line, signed

LIMIT = 200_000  # bytes; GitHub drops a summary above 1024 kB whole, and other steps write there too
MOST = 10  # annotations of one level that GitHub shows for a step
_LONGEST = 500  # characters of one message
_COLUMNS: list[Column[VerdictRecord]] = [
    Column("dataset", lambda v: v.dataset, "text"),
    *verdict_table().only("against", "metric", "outcome", "ours", "theirs", "difference", "interval", "units"),
]


def publish(record: Record, env: Mapping[str, str], stream: TextIO) -> None:
    """Append the summary to the file that ``GITHUB_STEP_SUMMARY`` names; annotate if ``GITHUB_ACTIONS``.

    Parameters
    ----------
    record
        What a run found.
    env
        The environment, as in ``os.environ``.
    stream
        Where the runner reads workflow commands, standard output; each goes on a line of its own.
    """
    if path := env.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(record))
    if env.get("GITHUB_ACTIONS") == "true":
        stream.writelines(f"{line}\n" for line in annotations(record))


def summary(record: Record) -> str:
    """Return Markdown below 200 kB: the sentence why, what went wrong, the worst tests first, the matrix."""
    lines = [f"## {_md(record.model or 'zsgate')}: {record.gate}", "", _md(headline(record)), ""]
    lines += _listed("Controls that failed", [_control(c) for c in record.controls if not c.passed])
    lines += _listed("Tests without a verdict", [_failure(f) for f in record.failures])
    worst = sorted(missed(record.verdicts), key=_badness)
    if worst:
        lines += ["### Tests that did not pass, from the worst on", "", *_table(worst), ""]
    lines += _grids(record)
    skipped = [f"{n.what} on {n.dataset or 'every dataset'}: {n.reason}" for n in record.not_tested]
    lines += _listed("Not tested", skipped)
    return _within(lines, LIMIT)


def _listed(title: str, rows: list[str]) -> list[str]:
    return [f"### {title}", "", *(f"- {_md(row)}" for row in rows), ""] if rows else []


def annotations(record: Record) -> list[str]:
    """Return workflow commands, one for each dataset from the worst on: at most 10 errors and 10 warnings.

    A dataset with a lost test, an error or a failed control is an error, one whose tests are only
    inconclusive a warning.
    """
    entries: list[VerdictRecord | FailureRecord | ControlRecord] = [
        *record.verdicts,
        *record.failures,
        *record.controls,
    ]
    found = [_annotation(record, dataset) for dataset in dict.fromkeys(entry.dataset or None for entry in entries)]
    ranked = sorted((entry for entry in found if entry is not None), key=lambda entry: entry[0])
    errors = [line for _, line in ranked if line.startswith("::error")]
    warnings = [line for _, line in ranked if line.startswith("::warning")]
    return errors[:MOST] + warnings[:MOST]


def _annotation(record: Record, dataset: str | None) -> tuple[tuple[float, ...], str] | None:
    """Return (rank, command) of one dataset, or None where everything passed."""
    wrong = [each for each in record.controls if not each.passed and (each.dataset or None) == dataset]
    failures = [each for each in record.failures if (each.dataset or None) == dataset]
    lost = sorted((each for each in missed(record.verdicts) if (each.dataset or None) == dataset), key=_badness)
    said = [_control(control) for control in wrong]
    said += [_failure(failure) for failure in failures]
    said += [verdict.sentence or verdict.nodeid for verdict in lost]
    if not said:
        return None
    broken = len(wrong) + len(failures)
    decided = sum(verdict.outcome is not Outcome.INCONCLUSIVE for verdict in lost)
    level = "error" if broken or decided else "warning"
    title = f"zsgate: {record.model} on {dataset}" if dataset else f"zsgate: {record.model}"
    more = f" (and {len(said) - 1} more in the report)" if len(said) > 1 else ""
    text = one_line(said[0])[:_LONGEST] + more
    worst = _badness(lost[0]) if lost else (0.0, 0.0)
    command = f"::{level} title={_property(one_line(title)[:_LONGEST])}::{_message(text)}"
    return (-broken, -decided, *worst), command


def _failure(failure: FailureRecord) -> str:
    return f"{failure.nodeid or failure.what}: {failure.message}"


def _control(control: ControlRecord) -> str:
    if control.sentence:
        return control.sentence
    against = f" against {control.baseline}" if control.baseline else ""
    return (
        f"control {control.control} by {control.metric}{against} on {control.dataset}: "
        f"expected {control.expected}, got {control.got}"
    )


def _badness(verdict: VerdictRecord) -> tuple[float, float]:
    """Sort key: lost first, then the rest; the most negative difference in standard errors first."""
    difference, se = verdict.difference, verdict.se
    size = -math.inf if difference is None else difference / se if se else math.copysign(1e9, difference)
    return (0.0 if verdict.outcome is Outcome.LOSES else 1.0, size)


def _table(verdicts: list[VerdictRecord]) -> list[str]:
    lines = [
        f"| {' | '.join(column.plain for column in _COLUMNS)} |",
        f"|{'|'.join('--:' if column.kind == 'number' else '---' for column in _COLUMNS)}|",
    ]
    return lines + [f"| {' | '.join(_value(column, verdict) for column in _COLUMNS)} |" for verdict in verdicts]


def _value(column: Column[VerdictRecord], verdict: VerdictRecord) -> str:
    value = column.value(verdict)
    if column.kind == "outcome":
        return f"{MARKS[value]} {value}" + (", not passed" if verdict.outcome is Outcome.BEATS else "")
    return value if column.kind == "number" else _md(value)


def _grids(record: Record) -> list[str]:
    lines = []
    for grid in grids(record):
        lines += [f"### {_md(grid.dataset)}", ""]
        lines += [
            f"| against | {' | '.join(map(_md, grid.metrics))} |",
            "|---" * (len(grid.metrics) + 1) + "|",
        ]
        lines += [f"| {_md(name)} | {' | '.join(map(_shown, cells))} |" for name, cells in grid.rows]
        lines.append("")
    return lines


def _shown(cell: GridCell) -> str:
    qualifier = f", {cell.qualifier}" if cell.qualifier else ""
    value = f" {signed(cell.verdict.difference)}" if cell.verdict else ""
    donors = " (these donors only)" if cell.these_donors_only else ""
    return f"{MARKS[cell.state]} {cell.state}{qualifier}{value}{donors}"


def _within(lines: list[str], limit: int) -> str:
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


def _md(text: str) -> str:
    """Return ``text`` as Markdown shows it literally, on one line, cut after 500 characters."""
    line = one_line(text)
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", line)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")

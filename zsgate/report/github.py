"""GitHub Actions: the step summary in Markdown and annotations, within GitHub's limits."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from zsgate.report.matrix import Cell, matrices
from zsgate.report.record import Record, complete, missed
from zsgate.report.sentence import headline
from zsgate.report.words import MARKS, interval, number, one_line, signed, units

LIMIT = 200_000  # bytes; GitHub drops a summary above 1024 kB whole, and other steps write there too
MOST = 10  # annotations of one level that GitHub shows for a step
_LONGEST = 500  # characters of one message


def publish(record: Mapping[str, Any], env: Mapping[str, str], stream: TextIO) -> None:
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


def summary(record: Mapping[str, Any]) -> str:
    """Return Markdown below 200 kB: the sentence why, what went wrong, the worst tests first, the matrix."""
    whole = complete(record)
    lines = [f"## {_md(whole['model'] or 'zsgate')}: {whole['gate']}", "", _md(headline(whole)), ""]
    for title, rows in (
        ("Controls that failed", [_md(_control(c)) for c in whole["controls"] if not c["passed"]]),
        (
            "Tests without a verdict",
            [_md(f"{f['nodeid'] or f['what']}: {f['message']}") for f in whole["failures"]],
        ),
    ):
        if rows:
            lines += [f"### {title}", "", *(f"- {row}" for row in rows), ""]
    worst = sorted(missed(whole["verdicts"]), key=_badness)
    if worst:
        lines += ["### Tests that did not pass, from the worst on", "", *_table(worst), ""]
    lines += _grids(whole)
    if whole["not_tested"]:
        rows = [_md(f"{n['what']} on {n['dataset'] or 'every dataset'}: {n['reason']}") for n in whole["not_tested"]]
        lines += ["### Not tested", "", *(f"- {row}" for row in rows), ""]
    return _within(lines, LIMIT)


def annotations(record: Mapping[str, Any]) -> list[str]:
    """Return workflow commands, one for each dataset from the worst on: at most 10 errors and 10 warnings.

    A dataset with a lost test, an error or a failed control is an error, one whose tests are only
    inconclusive a warning.
    """
    whole = complete(record)
    found = [_annotation(whole, dataset) for dataset in _datasets(whole)]
    ranked = sorted((entry for entry in found if entry is not None), key=lambda entry: entry[0])
    errors = [line for _, line in ranked if line.startswith("::error")]
    warnings = [line for _, line in ranked if line.startswith("::warning")]
    return errors[:MOST] + warnings[:MOST]


def _datasets(record: Record) -> list[str | None]:
    entries = [*record["verdicts"], *record["failures"], *record["controls"]]
    return list(dict.fromkeys(entry["dataset"] or None for entry in entries))


def _annotation(record: Record, dataset: str | None) -> tuple[tuple[float, ...], str] | None:
    """Return (rank, command) of one dataset, or None where everything passed."""

    def here(entries: Iterable[Record]) -> list[Record]:
        return [entry for entry in entries if (entry["dataset"] or None) == dataset]

    wrong = [control for control in here(record["controls"]) if not control["passed"]]
    failures, verdicts = here(record["failures"]), here(record["verdicts"])
    lost = sorted(missed(verdicts), key=_badness)
    said = [_control(control) for control in wrong]
    said += [f"{failure['nodeid'] or failure['what']}: {failure['message']}" for failure in failures]
    said += [verdict["sentence"] or verdict["nodeid"] for verdict in lost]
    if not said:
        return None
    broken = len(wrong) + len(failures)
    decided = sum(verdict["outcome"] != "inconclusive" for verdict in lost)
    level = "error" if broken or decided else "warning"
    title = f"zsgate: {record['model']} on {dataset}" if dataset else f"zsgate: {record['model']}"
    more = f" (and {len(said) - 1} more in the report)" if len(said) > 1 else ""
    text = one_line(said[0])[:_LONGEST] + more
    worst = _badness(lost[0]) if lost else (0.0, 0.0)
    return (
        -broken,
        -decided,
        *worst,
    ), f"::{level} title={_property(one_line(title)[:_LONGEST])}::{_message(text)}"


def _control(control: Record) -> str:
    if control["sentence"]:
        return str(control["sentence"])
    against = f" against {control['baseline']}" if control["baseline"] else ""
    return (
        f"control {control['control']} by {control['metric']}{against} on {control['dataset']}: "
        f"expected {control['expected']}, got {control['got']}"
    )


def _badness(verdict: Record) -> tuple[float, float]:
    """Sort key: lost first, then the rest; the most negative difference in standard errors first."""
    difference, se = verdict["difference"], verdict["se"]
    size = -math.inf if difference is None else difference / se if se else math.copysign(1e9, difference)
    return (0.0 if verdict["outcome"] == "loses" else 1.0, size)


def _table(verdicts: list[Record]) -> list[str]:
    lines = [
        "| dataset | baseline | metric | outcome | ours | theirs | difference | interval | units |",
        "|---|---|---|---|--:|--:|--:|--:|---|",
    ]
    for v in verdicts:
        names = [_md(v[key]) for key in ("dataset", "baseline", "metric")]
        outcome = f"{MARKS[v['outcome']]} {v['outcome']}" + (", not passed" if v["outcome"] == "beats" else "")
        numbers = [
            number(v["ours"]),
            number(v["theirs"]),
            signed(v["difference"]),
            interval(v["ci"]),
            units(v),
        ]
        lines.append(f"| {' | '.join([*names, outcome, *numbers])} |")
    return lines


def _grids(record: Record) -> list[str]:
    lines = []
    for matrix in matrices(record):
        lines += [f"### {_md(matrix.dataset)}", ""]
        lines += [
            f"| against | {' | '.join(map(_md, matrix.metrics))} |",
            "|---" * (len(matrix.metrics) + 1) + "|",
        ]
        lines += [f"| {_md(name)} | {' | '.join(map(_shown, cells))} |" for name, cells in matrix.rows]
        lines.append("")
    return lines


def _shown(cell: Cell) -> str:
    aside = f", {cell.aside}" if cell.aside else ""
    value = f" {signed(cell.verdict['difference'])}" if cell.verdict else ""
    donors = " (these donors only)" if cell.hollow else ""
    return f"{MARKS[cell.state]} {cell.state}{aside}{value}{donors}"


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

"""Inline: the verdicts as a table within a notebook: no script, nothing loaded, every value escaped."""

from __future__ import annotations

from markupsafe import Markup, escape

from zsgate.report import words
from zsgate.report.columns import Column, verdict_table
from zsgate.report.record import Record, VerdictRecord
from zsgate.report.sentence import headline

SHOWN = ("metric", "against", "outcome", "ours", "theirs", "difference", "interval", "units")
# colours that read on white and on black; all else is the notebook's own
COLOURS = {"beats": "#2a8c4a", "loses": "#d0453a", "inconclusive": "#b07a12", "error": "#d0453a"}
CELL = Markup('<td style="text-align:{};padding:2px 10px;white-space:nowrap">{}</td>')
HEAD = Markup('<th scope="col" style="text-align:{};padding:2px 10px">{}</th>')
MARK = Markup('<span style="color:{}">{}</span> {}')


def inline(record: Record) -> str:
    """Return the headline, a row for each verdict, and what a reader should know, as one element of HTML."""
    level = record.verdicts[0].level if record.verdicts else 0.9
    columns = verdict_table(level).only(*SHOWN)
    heads = Markup("").join(HEAD.format(_side(column), column.plain) for column in columns)
    rows = Markup("").join(_row(verdict, columns) for verdict in record.verdicts)
    state, like = record.gate.value, words.LIKE[record.gate]
    parts = [
        Markup('<div class="zsgate" style="font-size:90%">'),
        Markup("<p><strong>{}</strong> {}</p>").format(_marked(like, state), headline(record)),
        Markup('<table style="border-collapse:collapse"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(
            heads, rows
        )
        if record.verdicts
        else Markup(""),
        *(Markup("<p>{}</p>").format(said) for said in _notes(record)),
        Markup("</div>"),
    ]
    return str(Markup("").join(parts))


def _row(verdict: VerdictRecord, columns: list[Column[VerdictRecord]]) -> Markup:
    shown = Markup("").join(CELL.format(_side(column), _shown(verdict, column)) for column in columns)
    return Markup('<tr title="{}">{}</tr>').format(verdict.sentence, shown)


def _shown(verdict: VerdictRecord, column: Column[VerdictRecord]) -> Markup:
    value = column.value(verdict)
    if column.kind != "outcome":
        return escape(value)
    qualifier = f" ({verdict.qualifier})" if verdict.qualifier else ""
    return _marked(value, f"{value}{qualifier}")


def _marked(state: str, said: str) -> Markup:
    return MARK.format(COLOURS.get(state, "inherit"), words.MARKS[state], said)


def _side(column: Column[VerdictRecord]) -> str:
    return "right" if column.kind == "number" else "left"


def _notes(record: Record) -> list[str]:
    """Return what is said below the table: the controls, tests without a verdict, and caveats."""
    wrong = [control for control in record.controls if not control.passed and not control.advisory]
    said = f"{len(record.controls)} controls were run, " + (
        "each did what it must." if not wrong else f"{len(wrong)} did not do what they must: {wrong[0].sentence}"
    )
    failed = [f"{failure.what}: {failure.message}" for failure in record.failures]
    return [*([said] if record.controls else []), *failed[:3], *record.caveats]

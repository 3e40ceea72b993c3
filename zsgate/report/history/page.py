"""The page of a history: one self-contained HTML file, a chart for each test and a row for each run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from zsgate.report import words
from zsgate.report.history.change import Kind, compare
from zsgate.report.history.chart import HEIGHT, WIDTH, Chart, Scale, chart, scale
from zsgate.report.history.collected import Collected
from zsgate.report.history.series import Block, Break, ModelHistory, histories
from zsgate.report.page.environment import environment
from zsgate.report.record import Record
from zsgate.report.sentence import headline, tally

PALETTE_ENDS = "* {"  # in the style sheet of a run's page, whose colours are this one's
NAMED = 3  # tests of one kind that a row names
LONGEST = 300  # characters of a sentence in a row
COMMIT = 24  # characters of a commit


@dataclass(frozen=True, slots=True)
class Row:
    """One run, as the table shows it."""

    commit: str
    date: str
    record: Record
    like: str
    headline: str
    counts: list[tuple[str, int]]
    changes: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """The charts of one claim on one dataset: ``rows`` holds (baseline, charts in the order of ``metrics``)."""

    claim: str
    metrics: list[tuple[str, Scale]]
    rows: list[tuple[str, list[Chart | None]]]


@dataclass(frozen=True, slots=True)
class DatasetSection:
    """One dataset: its charts, and (commit, date, why) of where their lines break."""

    name: str
    breaks: list[tuple[str, str, str]]
    tables: list[Table]


@dataclass(frozen=True, slots=True)
class ModelSection:
    """One model: its datasets, and its runs from the newest on."""

    model: str
    rows: list[Row]
    datasets: list[DatasetSection]


def render(found: Collected) -> str:
    """Return the page: no script, nothing loaded from elsewhere, every value escaped."""
    style = resources.files("zsgate.report.page").joinpath("templates", "page.css").read_text(encoding="utf-8")
    own = resources.files(__package__).joinpath("history.css").read_text(encoding="utf-8")
    return _template().render(
        css=Markup(style.partition(PALETTE_ENDS)[0] + own),
        sections=[_section(history) for history in histories(found.records)],
        n_runs=len(found.records),
        unread=found.unread,
        n_copies=found.n_copies,
        width=WIDTH,
        height=HEIGHT,
    )


@cache
def _template() -> jinja2.Template:
    return environment(__package__).get_template("history.html.jinja")


def _section(history: ModelHistory) -> ModelSection:
    runs, n = history.runs, len(history.runs)
    datasets = [
        DatasetSection(
            each.name,
            [(_commit(runs[gap.run]), _date(runs[gap.run]), gap.why) for gap in each.breaks],
            [_table(block, n, each.breaks) for block in each.blocks],
        )
        for each in history.datasets
    ]
    return ModelSection(history.model, _rows(runs), datasets)


def _table(block: Block, n_runs: int, breaks: list[Break]) -> Table:
    """Return the charts of a claim; those of one metric have one scale."""
    gaps = [gap.run for gap in breaks]
    scales = {
        metric: scale(point for (_, its), line in block.lines.items() if its == metric for point in line)
        for metric in block.metrics
    }
    rows = []
    for baseline in block.baselines:
        lines = [block.lines.get((baseline, metric)) for metric in block.metrics]
        drawn = [
            None if line is None else chart(line, n_runs, gaps, scales[metric])
            for metric, line in zip(block.metrics, lines, strict=True)
        ]
        rows.append((baseline, drawn))
    return Table(block.claim, list(scales.items()), rows)


def _rows(runs: list[Record]) -> list[Row]:
    """Return a row for each run, the newest first."""
    rows, before = [], None
    for run in runs:
        counts = [(name, n) for name, n in tally(run).items() if n]
        said = headline(run)
        shown = said if len(said) <= LONGEST else f"{said[:LONGEST]} …"
        rows.append(Row(_commit(run), _date(run), run, words.LIKE[run.gate], shown, counts, _changes(run, before)))
        before = run if run.gate.is_judged else before
    return rows[::-1]


def _changes(run: Record, before: Record | None) -> list[str]:
    """Return what changed since the last run before that claimed anything."""
    if before is None or not run.gate.is_judged:
        return []
    found = compare(run, before)
    if found.refused:
        return [f"not compared: {found.refused}"]
    said = [f"{name} not compared: {why}" for name, why in found.apart]
    for kind in Kind:
        here = [change for change in found.changes if change.kind is kind]
        named = [f"{test[0]} {test[2]} against {test[1]}" for test in (change.test for change in here[:NAMED])]
        more = f" and {len(here) - NAMED} more" if len(here) > NAMED else ""
        said += [f"{kind}: {', '.join(named)}{more}"] if here else []
    return said


def _commit(record: Record) -> str:
    return (record.provenance.git or "no commit")[:COMMIT]


def _date(record: Record) -> str:
    return record.provenance.started[:16].replace("T", " ")

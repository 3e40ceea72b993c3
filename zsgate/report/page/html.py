"""The page: one self-contained HTML file that a reviewer can judge a run from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from zsgate.report import words
from zsgate.report.columns import COVERAGE, TableSpec, verdict_table
from zsgate.report.grid import ShownVerdict, VerdictGrid, grids, shown
from zsgate.report.page import cell_types, confusion, contents, download, forest, maps, reconstruction, walkthrough
from zsgate.report.page.environment import environment
from zsgate.report.record.dataset import CoverageRecord, DatasetRecord
from zsgate.report.record.entry import Entry
from zsgate.report.record.evidence import ControlRecord
from zsgate.report.record.run import Record
from zsgate.report.record.verdict import VerdictRecord
from zsgate.report.sentence import headline

_SLIGHT = 0.0005  # a difference that three decimals show as none
_LONGEST_MESSAGE = 2_000  # characters; the whole message is in verdict.json


@dataclass(frozen=True, slots=True)
class Section:
    """What the page shows of one dataset; ``claims`` holds (claim, verdicts that test it)."""

    name: str
    number: int
    card: DatasetRecord | None
    coverage: list[CoverageRecord]
    level: float
    table: TableSpec[VerdictRecord]
    margins: list[float]
    panels: list[forest.Panel]
    claims: list[tuple[str, list[ShownVerdict]]]
    types: list[cell_types.TypeTable]
    confusion: confusion.Confusion | None
    maps: maps.Maps | None
    reconstruction: reconstruction.Block | None


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The controls of one kind, those that failed first."""

    name: str
    why: str
    entries: list[ControlRecord]


def render(record: Record) -> str:
    """Return the page of ``record``: no script, nothing loaded from elsewhere, every value escaped."""
    tables = grids(record)
    datasets = words.distinct([*(grid.dataset for grid in tables), *(verdict.dataset for verdict in record.verdicts)])
    sections = _sections(record, datasets)
    style = resources.files(__package__).joinpath("templates", "page.css").read_text(encoding="utf-8")
    return _template().render(
        record=record,
        css=Markup(f"{style}\n{contents.rules(len(datasets))}"),
        contents=list(contents.entries(record, {section.number: section.name for section in sections})),
        datasets=datasets,
        csv=download.link(record.verdicts),
        headline=headline(record),
        policies=words.distinct(verdict.policy for verdict in record.verdicts) or [record.policy],
        like=words.LIKE[record.gate],
        grids=_by_dataset(tables),
        sections=sections,
        example=walkthrough.chosen(record.verdicts),
        control_groups=_control_groups(record),
        coverage_table=COVERAGE,
    )


@cache
def _template() -> jinja2.Template:
    found = environment(__package__, "templates")
    found.filters.update(
        flips=_flips, listed=_listed, capped=_capped, given=_given, fields=_fields, steps=walkthrough.steps
    )
    return found.get_template("page.html.jinja")


def _by_dataset(tables: list[VerdictGrid]) -> list[tuple[str, list[VerdictGrid]]]:
    names = words.distinct(grid.dataset for grid in tables)
    return [(name, [grid for grid in tables if grid.dataset == name]) for name in names]


def _sections(record: Record, datasets: list[str]) -> list[Section]:
    """Return for each dataset its card, its forest plots and its verdicts under the claim they test."""
    verdicts = shown(record)
    cards = {card.name: card for card in record.datasets}
    sections = []
    judged = words.distinct(verdict.dataset for verdict in record.verdicts)
    for number, dataset in enumerate(datasets, start=1):
        if dataset not in judged:
            continue
        here = [each for each in verdicts if each.verdict.dataset == dataset]
        claims = dict.fromkeys(each.verdict.claim for each in here)
        level = here[0].verdict.level
        sections.append(
            Section(
                name=dataset,
                number=number,
                card=cards.get(dataset),
                coverage=[found for found in record.coverage if found.dataset == dataset],
                level=level,
                table=verdict_table(level),
                margins=sorted({each.verdict.margin for each in here if each.verdict.margin}),
                panels=forest.panels(here),
                claims=[(claim, [each for each in here if each.verdict.claim == claim]) for claim in claims],
                types=list(cell_types.tables([each.verdict for each in here], cards.get(dataset))),
                confusion=confusion.table(record.scores, cards[dataset]) if dataset in cards else None,
                maps=maps.of_dataset(record.maps, cards.get(dataset), dataset),
                reconstruction=reconstruction.block(record, dataset),
            )
        )
    return sections


def _control_groups(record: Record) -> list[ControlGroup]:
    """Return the controls by kind, those that failed first."""
    groups = []
    for name in words.distinct(control.control for control in record.controls):
        entries = [control for control in record.controls if control.control == name]
        entries.sort(key=lambda control: control.passed)
        groups.append(ControlGroup(name, next((c.why for c in entries if c.why), ""), entries))
    return sorted(groups, key=lambda group: all(control.passed for control in group.entries))


def _flips(verdict: VerdictRecord) -> str:
    """Return in words that a difference changes its sign with the weight of donors; an empty string where it keeps."""
    cells, donors = verdict.difference, verdict.balanced
    if cells is None or donors is None or cells * donors >= 0 or min(abs(cells), abs(donors)) < _SLIGHT:
        return ""
    return (
        f"the sign depends on who counts: {words.signed(cells)} with every cell of the same weight, "
        f"{words.signed(donors)} with every donor of the same weight"
    )


def _fields(entry: Entry) -> list[tuple[str, object]]:
    """Return the fields of a record that hold something, as (name, value)."""
    return _given([(name, getattr(entry, name)) for name in entry.__struct_fields__])


def _given(pairs: list[tuple[str, object]]) -> list[tuple[str, object]]:
    """Return the pairs whose value is neither None nor empty."""
    return [(name, value) for name, value in pairs if value is not None and _listed(value)]


def _listed(value: object) -> str:
    """Return a setting as words: lists with commas, mappings as ``key value``."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_listed(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_listed(entry) for entry in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.NOTHING if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _capped(message: str) -> str:
    left = len(message) - _LONGEST_MESSAGE
    return message if left <= 0 else f"{message[:_LONGEST_MESSAGE]} … ({left:,} more characters in verdict.json)"

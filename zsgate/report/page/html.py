"""The page: one self-contained HTML file that a reviewer can judge a run from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from zsgate.report import words
from zsgate.report.columns import COVERAGE, TableSpec, verdict_table
from zsgate.report.grid import ShownVerdict, grids, shown
from zsgate.report.page import cell_types, forest, reconstruction, walkthrough
from zsgate.report.record.dataset import CoverageRecord, DatasetRecord
from zsgate.report.record.entry import Entry
from zsgate.report.record.evidence import ControlRecord
from zsgate.report.record.run import Record
from zsgate.report.record.verdict import VerdictRecord
from zsgate.report.sentence import headline

_LONGEST_MESSAGE = 2_000  # characters; the whole message is in verdict.json


@dataclass(frozen=True, slots=True)
class Section:
    """What the page shows of one dataset; ``claims`` holds (claim, verdicts that test it)."""

    name: str
    card: DatasetRecord | None
    coverage: list[CoverageRecord]
    level: float
    table: TableSpec[VerdictRecord]
    margins: list[float]
    panels: list[forest.Panel]
    claims: list[tuple[str, list[ShownVerdict]]]
    types: list[cell_types.TypeTable]
    reconstruction: reconstruction.Block | None


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The controls of one kind, those that failed first."""

    name: str
    why: str
    entries: list[ControlRecord]


def render(record: Record) -> str:
    """Return the page of ``record``: no script, nothing loaded from elsewhere, every value escaped."""
    return _template().render(
        record=record,
        css=Markup(resources.files(__package__).joinpath("page.css").read_text()),
        headline=headline(record),
        policies=words.distinct(verdict.policy for verdict in record.verdicts) or [record.policy],
        like=words.LIKE[record.gate],
        grids=grids(record),
        sections=_sections(record),
        example=walkthrough.chosen(record.verdicts),
        control_groups=_control_groups(record),
        coverage_table=COVERAGE,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (words.number, words.signed, words.interval, words.counted, words.seconds)
    environment.filters.update({function.__name__: function for function in filters})
    environment.filters.update(
        breakable=_breakable, listed=_listed, capped=_capped, given=_given, fields=_fields, steps=walkthrough.steps
    )
    return environment.get_template("page.html.jinja")


def _sections(record: Record) -> list[Section]:
    """Return for each dataset its card, its forest plots and its verdicts under the claim they test."""
    verdicts = shown(record)
    cards = {card.name: card for card in record.datasets}
    sections = []
    for dataset in words.distinct(verdict.dataset for verdict in record.verdicts):
        here = [each for each in verdicts if each.verdict.dataset == dataset]
        claims = dict.fromkeys(each.verdict.claim for each in here)
        level = here[0].verdict.level
        sections.append(
            Section(
                name=dataset,
                card=cards.get(dataset),
                coverage=[found for found in record.coverage if found.dataset == dataset],
                level=level,
                table=verdict_table(level),
                margins=sorted({each.verdict.margin for each in here if each.verdict.margin}),
                panels=forest.panels(here),
                claims=[(claim, [each for each in here if each.verdict.claim == claim]) for claim in claims],
                types=list(cell_types.tables([each.verdict for each in here], cards.get(dataset))),
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


def _breakable(name: str) -> Markup:
    """Return a name, escaped, that may be broken behind its underscores."""
    return Markup(escape(name).replace("_", Markup("_<wbr>")))


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

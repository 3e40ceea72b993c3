"""The page: one self-contained HTML file that a reviewer can judge a run from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from zsgate.report import words
from zsgate.report.matrix import anchors, matrices
from zsgate.report.page import forest, reconstruction
from zsgate.report.page import walkthrough as example
from zsgate.report.record import Record, complete, distinct
from zsgate.report.sentence import headline

_LONGEST_MESSAGE = 2_000  # characters; the whole message is in verdict.json


def render(record: Mapping[str, Any]) -> str:
    """Return the page of ``record``: no script, nothing loaded from elsewhere, every value escaped."""
    whole = complete(record)
    return _template().render(
        **whole,
        css=Markup(resources.files(__package__).joinpath("page.css").read_text()),
        headline=headline(whole),
        matrices=matrices(whole),
        sections=_sections(whole),
        example=example.chosen(whole["verdicts"]),
        control_groups=_control_groups(whole),
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
    filters = (
        words.number,
        words.signed,
        words.interval,
        words.chance,
        words.counted,
        words.units,
        words.seconds,
        words.whole,
        words.percent,
        words.portion,
    )
    environment.filters.update({function.__name__: function for function in filters})
    environment.filters.update(breakable=_breakable, listed=_listed, capped=_capped, steps=example.steps)
    environment.globals.update(gate_states=words.GATE_STATES)
    return environment.get_template("page.html.jinja")


def _sections(record: Record) -> list[dict[str, Any]]:
    """Return for each dataset its card, its forest plots and its verdicts under the claim they test."""
    named = anchors(record)
    cards = {card["name"]: card for card in record["datasets"]}
    sections = []
    for dataset in distinct(record["verdicts"], "dataset"):
        here = [
            {**verdict, "anchor": named[position]}
            for position, verdict in enumerate(record["verdicts"])
            if verdict["dataset"] == dataset
        ]
        claims = [
            (claim, [v for v in here if v["claim"] == claim]) for claim in dict.fromkeys(v["claim"] for v in here)
        ]
        sections.append(
            {
                "name": dataset,
                "card": cards.get(dataset),
                "coverage": [found for found in record["coverage"] if found["dataset"] == dataset],
                "level": here[0]["level"],
                "margins": sorted({v["margin"] for v in here if v["margin"]}),
                "panels": forest.panels(here),
                "claims": claims,
                "reconstruction": reconstruction.block(record, dataset),
            }
        )
    return sections


def _control_groups(record: Record) -> list[dict[str, Any]]:
    """Return the controls by kind, those that failed first."""
    groups = []
    for name in distinct(record["controls"], "control"):
        entries = [control for control in record["controls"] if control["control"] == name]
        entries.sort(key=lambda control: control["passed"])
        groups.append({"name": name, "why": next((c["why"] for c in entries if c["why"]), ""), "entries": entries})
    return sorted(groups, key=lambda group: all(control["passed"] for control in group["entries"]))


def _breakable(name: str) -> Markup:
    """Return a name, escaped, that may be broken behind its underscores."""
    return Markup(escape(name).replace("_", Markup("_<wbr>")))


def _listed(value: Any) -> str:
    """Return a setting as words: lists with commas, mappings as ``key value``."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_listed(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(_listed(entry) for entry in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.NOTHING if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _capped(message: str) -> str:
    left = len(message) - _LONGEST_MESSAGE
    return message if left <= 0 else f"{message[:_LONGEST_MESSAGE]} … ({left:,} more characters in verdict.json)"

"""The page: complete, self-contained, safe, small."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import broken, large, sample, verdict
from parsed import Page

from zsgate.report.page import walkthrough as example
from zsgate.report.page.html import render

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "</style></title><b>",
    "' onload='x",
]


def test_verdicts_have_anchors(any_record: dict[str, Any]) -> None:
    """Every verdict has one row of its own that links can reach; no id is there twice; no link leads nowhere."""
    page = Page(render(any_record))
    rows = [name for name in page.ids if name.startswith("verdict-")]
    assert len(rows) == len(any_record["verdicts"])
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.links()) <= set(page.ids)
    assert set(rows) <= set(page.links())


def test_nothing_is_loaded(any_record: dict[str, Any]) -> None:
    """The page loads nothing and runs nothing: no script, no src, no address but fragments."""
    text = render(any_record)
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert not [
        entry for entry in page.attributes if entry[1] in {"src", "srcset", "style"} or entry[1].startswith("on")
    ]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    assert not re.search(r"url\(|@import|https?:", text)


def test_first_screen(record: dict[str, Any]) -> None:
    """The model, the gate, the sentence why and the matrix come before any detail."""
    first = Page(render(record)).text.split("Difference in score")[0]
    for words in ("cellama", "LOST", "3 of 20 tests passed, 12 lost, 5 inconclusive", "loses −0.041", "beats +0.029"):
        assert words in first


@pytest.mark.parametrize("outcome", ["beats", "loses", "inconclusive"])
def test_outcome_has_shape_word_and_colour(record: dict[str, Any], outcome: str) -> None:
    """An outcome is told three ways: by the mark, by the word, by the class that colours it."""
    pattern = rf'class="outcome {outcome}"><svg class="mark" [^>]*><use href="#mark-{outcome}"/></svg> {outcome}'
    assert len(re.findall(pattern, render(record))) > 2


def test_errors_and_untested_show(any_record: dict[str, Any]) -> None:
    """Errors, what was not tested and their reasons are words on the page."""
    text = Page(render(any_record)).text
    for entry in any_record["failures"]:
        assert " ".join(entry["message"].split()) in text
    for entry in any_record["not_tested"]:
        assert entry["reason"] in text
    for caveat in any_record["caveats"]:
        assert caveat in text


def test_cells_as_units_are_hollow() -> None:
    """A verdict for these donors only has a hollow mark, in matrix, plot and table; others have none."""
    record = broken()
    made = render(record)
    assert made.count('class="mark hollow"') == 1 + 3  # the legend; matrix, plot, table
    assert made.count('<use class="hollow"') == 1
    record["verdicts"][5]["unit"] = "donor"
    assert render(record).count('class="mark hollow"') == 1


def test_example_uses_real_numbers(record: dict[str, Any]) -> None:
    """'How to read this' explains a verdict of this run with its own numbers; t is that of 19 degrees."""
    text = Page(render(record)).text
    assert "The steps of one verdict of this run, nmi against scvi on pancreas_quick" in text
    assert "cellama scores 0.701 and scvi 0.743 by nmi" in text
    assert "the 20 donors know as much as 20.0 of one size" in text
    assert "If every donor weighed the same, the difference would be −0.044" in text
    assert "donors 0.019, halves of them 0.024, halves of the cells 0.007 (the largest, 0.024, counts)" in text
    assert "19 degrees of freedom, 1.729, the 90 % interval is −0.042 ± 0.041, from −0.083 to −0.001" in text


def test_example_names_every_part_of_the_error() -> None:
    """Of a clustering metric: donors, halves, cells and seeds as square roots, and which of them counts."""
    parts = {"jackknife": 1e-4, "halves": 4e-4, "cells": 2.5e-5, "seeds": 9e-6}
    made = verdict("d", "scvi", "nmi", variance=parts, df=4.25)
    steps = dict(example.steps(made))
    assert steps["Interval"].startswith(
        "As square roots: donors 0.010, halves of them 0.020, halves of the cells 0.005 (the largest, 0.020, counts), "
        "seeds 0.003 → standard error"
    )
    assert "four random pairs of halves of the donors and of the cells" in steps["Clusters"]
    assert "With Student's t for 4.25 degrees of freedom" in steps["Interval"]
    assert "a model that learnt nothing is one of them" not in steps["Chance"]
    twins = dict(example.steps(verdict("d", "random_init", "nmi", variance=parts)))
    assert "a model that learnt nothing is one of them" in twins["Chance"]


def test_margin_is_drawn() -> None:
    """A margin that is not zero is a dashed line at its place; a margin of zero is not drawn twice."""
    record = sample()
    assert 'class="margin"' not in render(record)
    record["verdicts"][3]["margin"] = 0.02
    assert render(record).count('class="margin"') == 1


def test_policy_that_disagrees_with_outcome_is_told(record: dict[str, Any]) -> None:
    """An inconclusive verdict that passes by its policy says so beside the outcome."""
    record["verdicts"] = [verdict("d", "random_init", "nmi", passed=True, policy="noninferior", margin=0.1)]
    assert "inconclusive , passed" in Page(render(record)).text


@pytest.mark.parametrize("evil", EVIL)
def test_markup_is_escaped(evil: str) -> None:
    """No name, message or note can become markup, an attribute or a template expression."""
    record = broken()
    plain = Page(render(record))
    record["model"] = record["model_card"]["name"] = evil
    for key in ("verdicts", "controls", "datasets", "baselines", "not_tested", "timings", "failures", "metrics"):
        for entry in record[key]:
            for field, value in entry.items():
                if isinstance(value, str) and field not in {"outcome", "policy", "unit", "scope", "what", "baseline"}:
                    entry[field] = evil
    record["caveats"] = record["model_card"]["notes"] = [evil]
    record["provenance"] = {evil: evil, "packages": {evil: evil}}
    text = render(record)
    page = Page(text)
    assert set(page.tags) <= set(plain.tags)
    assert {name for _, name, _ in page.attributes} <= {name for _, name, _ in plain.attributes}
    assert evil in page.text
    assert text.count("</style>") == 1


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_keeps_the_page_whole(name: str, message: str) -> None:
    """Whatever a name or message holds, tags balance, ids are unique and the page is UTF-8."""
    record = broken()
    for entry in record["verdicts"]:
        entry["dataset"] = name
    record["model"], record["failures"][0]["message"] = name, message
    text = render(record)
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.links()) <= set(page.ids)
    assert text.encode().decode() == text


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast(record: dict[str, Any], scheme: int) -> None:
    """Every colour of text has the contrast of level AA, 4.5 to 1, on both backgrounds in both schemes."""
    block = re.findall(r":root {(.*?)}", render(record), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
    grounds = [luminance(colours.pop(name)) for name in ("paper", "faint")]
    assert colours.pop("line")
    assert len(colours) == 7
    for name, colour in colours.items():
        for ground in grounds:
            dark, light = sorted((luminance(colour), ground))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_hundred_verdicts_stay_small() -> None:
    """Five datasets, five metrics and four baselines stay below 300 kB."""
    assert len(render(large()).encode()) < 300_000


def test_long_messages_are_cut() -> None:
    """A traceback of a megabyte does not make a page of a megabyte; the page says that it was cut."""
    record = broken()
    record["failures"][0]["message"] = "x" * 1_000_000
    text = render(record)
    assert len(text) < 100_000
    assert "998,000 more characters in verdict.json" in text

"""The page: complete, self-contained, safe, small."""

from __future__ import annotations

import base64
import csv
import io
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import broken, changed, empty, judged, large, sample, verdict
from msgspec.structs import replace
from parsed import Page

from zsgate.report.columns import verdict_table
from zsgate.report.page import download
from zsgate.report.page.html import render
from zsgate.report.record import GateState, Provenance, Record

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "</style></title><b>",
    "' onload='x",
]


def test_verdicts_have_anchors(any_record: Record) -> None:
    """Every verdict has one row of its own that links can reach; no id is there twice; no link leads nowhere."""
    page = Page(render(any_record))
    rows = [name for name in page.ids if name.startswith("verdict-")]
    assert len(rows) == len(any_record.verdicts)
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.links()) <= set(page.ids)
    assert set(rows) <= set(page.links())


def test_nothing_is_loaded(any_record: Record) -> None:
    """The page loads nothing and runs nothing: no script, no src, no address but fragments and the table it holds."""
    text = render(any_record)
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert not [
        entry for entry in page.attributes if entry[1] in {"src", "srcset", "style"} or entry[1].startswith("on")
    ]
    held = (
        f"data:text/csv;charset=utf-8;base64,{base64.b64encode(download.table(any_record.verdicts).encode()).decode()}"
    )
    assert {value for _, name, value in page.attributes if name == "href" and not value.startswith("#")} <= {held}
    assert not re.search(r"url\(|@import|https?:", text)


def test_first_screen(record: Record) -> None:
    """The model, the gate, the sentence why and the matrix come before any detail."""
    first = Page(render(record)).text.split("Difference in score")[0]
    for words in (
        "cellama",
        "LOST",
        "3 of 20 tests passed, 12 lost, 5 inconclusive",
        "loses −0.041 0.512 / 0.553",
        "beats +0.029",
    ):
        assert words in first


@pytest.mark.parametrize("outcome", ["beats", "loses", "inconclusive"])
def test_outcome_has_shape_word_and_colour(record: Record, outcome: str) -> None:
    """An outcome is told three ways: by the mark, by the word, by the class that colours it."""
    mark = rf'<svg class="mark" [^>]*><use href="#mark-{outcome}"/></svg>'
    pattern = rf'class="outcome {outcome}">{mark} <span class="word">{outcome}<'
    assert len(re.findall(pattern, render(record))) > 2


def test_errors_and_untested_show(any_record: Record) -> None:
    """Errors, what was not tested and their reasons are words on the page."""
    text = Page(render(any_record)).text
    for failure in any_record.failures:
        assert " ".join(failure.message.split()) in text
    for entry in any_record.not_tested:
        assert entry.reason in text
    for caveat in any_record.caveats:
        assert caveat in text


def test_verdicts_for_these_donors_only_have_marks_that_are_not_filled() -> None:
    """A verdict whose units are cells has a mark that is not filled, in grid, plot and table; others have none."""
    made = render(broken())
    assert made.count('class="mark outlined"') == 1 + 3  # the legend; grid, plot, table
    assert made.count('<use class="outlined"') == 1
    assert render(changed(broken(), 5, unit="donor")).count('class="mark outlined"') == 0


def test_margin_is_drawn() -> None:
    """A margin that is not zero is a dashed line at its place; a margin of zero is not drawn twice."""
    assert 'class="margin"' not in render(sample())
    assert render(changed(sample(), 3, margin=0.02)).count('class="margin"') == 1


def test_policy_that_disagrees_with_outcome_is_told(record: Record) -> None:
    """An inconclusive verdict that passes by its policy says so beside the outcome."""
    good = verdict("d", "random_init", "nmi", passed=True, policy="noninferior", margin=0.1)
    assert "inconclusive , passed" in Page(render(judged(record, [good]))).text


def test_the_table_has_the_columns_of_the_list(record: Record) -> None:
    """Heading and cells come from one list; every row has as many, and a cell that spans them all spans as many."""
    text, columns = render(record), verdict_table().columns
    table = re.search(r"<caption>Every verdict on pancreas_quick</caption>(.*?)</table>", text, re.DOTALL)
    assert table is not None
    assert table[1].count('scope="col"') == len(columns)
    rows = re.findall(r'<tr id="verdict-.*?</tr>', table[1], re.DOTALL)
    assert {len(re.findall("<t[dh]", row)) for row in rows} == {len(columns)}
    assert set(re.findall(r'colspan="(\d+)"', table[1])) == {str(len(columns))}
    for column in columns:
        assert column.explained.partition("'")[0] in text


def test_adjusted_p_is_printed_as_it_stands(record: Record) -> None:
    """The page computes no statistic: the p adjusted for many tests is that of the record."""
    assert "0.123" in Page(render(changed(record, 0, p_holm=0.123))).text


@pytest.mark.parametrize("gate", GateState)
def test_every_gate_has_a_page(gate: GateState) -> None:
    """A run that goes on, or could not start, has a page that says so, with a mark and the gate in capitals."""
    made = replace(empty(), gate=gate, provenance=Provenance(exit_reason="there is no such file"))
    text = Page(render(made)).text
    assert gate.upper() in text
    assert gate not in ("broke", "unusable") or "there is no such file" in text


@pytest.mark.parametrize("evil", EVIL)
def test_markup_is_escaped(evil: str) -> None:
    """No name, message or note can become markup, an attribute or a template expression."""
    plain, made = Page(render(broken())), msgspec.to_builtins(broken())
    made["model"] = made["model_card"]["name"] = evil
    kept = {"outcome", "policy", "unit", "scope", "what", "baseline", "expected"}
    for key in ("verdicts", "controls", "datasets", "baselines", "not_tested", "timings", "failures", "metrics"):
        for entry in made[key]:
            entry.update({name: evil for name, value in entry.items() if isinstance(value, str) and name not in kept})
    made["caveats"] = made["model_card"]["notes"] = [evil]
    made["provenance"] = {"python": evil, "packages": {evil: evil}}
    text = render(Record.of(made))
    page = Page(text)
    assert set(page.tags) <= set(plain.tags)
    assert {name for _, name, _ in page.attributes} <= {name for _, name, _ in plain.attributes}
    assert evil in page.text
    assert text.count("</style>") == 1


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_keeps_the_page_whole(name: str, message: str) -> None:
    """Whatever a name or message holds, tags balance, ids are unique and the page is UTF-8."""
    made = broken()
    failure = replace(made.failures[0], message=message)
    verdicts = tuple(replace(each, dataset=name) for each in made.verdicts)
    text = render(replace(made, model=name, failures=(failure, *made.failures[1:]), verdicts=verdicts))
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
def test_text_has_contrast(record: Record, scheme: int) -> None:
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
    """Five datasets, five metrics and four baselines stay below 350 kB."""
    assert len(render(large()).encode()) < 350_000


def test_long_messages_are_cut() -> None:
    """A traceback of a megabyte does not make a page of a megabyte; the page says that it was cut."""
    made = broken()
    text = render(replace(made, failures=(replace(made.failures[0], message="x" * 1_000_000),)))
    assert len(text) < 100_000
    assert "998,000 more characters in verdict.json" in text


def test_what_would_have_been_enough_is_said() -> None:
    """Of a verdict that decides and fell short of it, and of no other."""
    enough = {"asw": 0.125, "nmi": 0.2, "avg_bio": -0.9}
    made = [verdict("d", "hvg", name, enough=value, advisory=name == "nmi") for name, value in enough.items()]
    text = Page(render(replace(sample(), verdicts=tuple(made)))).text
    assert "asw against hvg: a difference of +0.125 would have been enough" in text
    assert text.count("would have been enough") == 1


def test_a_sign_that_depends_on_the_weight_of_donors_is_pointed_out() -> None:
    """Where every donor weighing the same turns the difference around; not where one of the two is next to nothing."""
    made = [
        verdict("d", "hvg", name, difference=0.012, balanced=each) for name, each in (("asw", -0.02), ("nmi", 0.02))
    ]
    slight = verdict("d", "hvg", "ari", difference=0.012, balanced=-0.0001)
    text = Page(render(replace(sample(), verdicts=(*made, slight)))).text
    assert text.count("the sign depends on who counts") == 1
    assert "+0.012 with every cell of the same weight, −0.020 with every donor of the same weight" in text


def test_the_table_to_save_holds_every_verdict_and_no_formula() -> None:
    """Numbers as in the record, to the last digit; words that a spreadsheet would compute are led by an apostrophe."""
    made = replace(sample().verdicts[0], dataset="=1+1", sentence='@a, "b"\nc')
    rows = list(csv.DictReader(io.StringIO(download.table([made, *sample().verdicts[1:]]))))
    assert len(rows) == 20
    assert (rows[0]["dataset"], rows[0]["sentence"]) == ("'=1+1", '\'@a, "b"\nc')
    assert [float(row["difference"]) for row in rows] == [each.difference for each in sample().verdicts]
    assert [(float(row["low"]), float(row["high"])) for row in rows] == [each.ci for each in sample().verdicts]


def test_contents_lead_to_every_part(any_record: Record) -> None:
    """Each part that the page has is listed once, in its order."""
    page = Page(render(any_record))
    parts = [name for name in page.ids if re.fullmatch(r"matrix|dataset-\d+|[a-z]+", name)]
    listed = [link for link in page.links() if link in parts]
    assert listed[: len(parts)] == parts

"""Where a model loses: the types that lose most come first, and what is not known is not counted."""

from __future__ import annotations

from made_records import sample
from msgspec.structs import replace
from parsed import Page

from zsgate.report.page.cell_types import tables
from zsgate.report.page.html import render
from zsgate.report.record import Record

KINDS = (("alpha cell", 30), ("beta & <b>delta</b> cell", 20), ("rare cell", 2))


def with_types() -> Record:
    """Return the sample with values of three types on its first dataset."""
    record = sample()
    name = record.datasets[0].name
    pairs = {"hvg": ((0.5, 0.4), (0.6, 0.7), (None, 0.2)), "pca": ((0.5, 0.55), (0.6, 0.5), (None, None))}
    verdicts = tuple(
        replace(each, by_type=pairs[each.baseline])
        if (each.dataset, each.metric) == (name, "asw") and each.baseline in pairs
        else each
        for each in record.verdicts
    )
    card = replace(record.datasets[0], cell_types=KINDS)
    return replace(record, verdicts=verdicts, datasets=(card, *record.datasets[1:]))


def test_types_that_lose_most_come_first() -> None:
    """By the least difference to any baseline; a type of which nothing is known comes last and counts as no loss."""
    record = with_types()
    (table,) = tables([each for each in record.verdicts if each.dataset == record.datasets[0].name], record.datasets[0])
    assert (table.metric, table.baselines) == ("asw", ("hvg", "pca"))
    assert [row.name for row in table.rows] == [KINDS[1][0], KINDS[0][0], KINDS[2][0]]
    assert [None if row.lost is None else round(row.lost, 9) for row in table.rows] == [-0.1, -0.05, None]
    assert table.n_lost == 2


def test_the_page_shows_them() -> None:
    """With numbers of cells, which side is better in words, and names that are only text."""
    text = render(with_types())
    assert "some baseline does better on 2 of 3 types" in text
    assert "beta &amp; &lt;b&gt;delta&lt;/b&gt; cell" in text
    assert "0.700 better" in text
    assert len(set(Page(text).ids)) == len(Page(text).ids)


def test_without_values_there_is_no_table() -> None:
    """As of records of an earlier version."""
    assert "Where it loses" not in render(sample())

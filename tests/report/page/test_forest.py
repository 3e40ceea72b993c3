"""Forest plot: everything lies on its axis, and no verdict squashes the others."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from made_records import sample, verdict
from msgspec.structs import replace

from zsgate.report.grid import ShownVerdict
from zsgate.report.page import forest
from zsgate.report.record import VerdictRecord


def panels(verdicts: Iterable[VerdictRecord]) -> list[forest.Panel]:
    """Return the panels of verdicts whose place on the page does not matter here."""
    return forest.panels([ShownVerdict(each) for each in verdicts])


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0, 1e3)), min_size=1, max_size=8), st.floats(0, 5))
def test_axis_holds_everything(differences: list[tuple[float, float]], margin: float) -> None:
    """Every difference, zero and margin lies on its axis, whiskers are ordered, and 0 is a tick."""
    made = [
        verdict("d", f"b{i}", "asw", difference=d, ci=(d - half, d + half), margin=margin)
        for i, (d, half) in enumerate(differences)
    ]
    (panel,) = panels(made)
    rows = panel.groups[0][1]
    assert len(rows) == len(made)
    for row in rows:
        assert row.low is not None
        assert row.high is not None
        assert 0 <= row.low <= row.at <= row.high <= 100
        assert row.margin is None or 0 <= row.margin <= 100
    assert (panel.zero, "0") in panel.ticks


def test_very_different_scales_do_not_share_an_axis() -> None:
    """A difference of 500 in one metric does not squash differences of 0.05 in another."""
    made = [verdict("d", "hvg", "mse_gep", difference=500.0, ci=(400.0, 600.0)), *sample().verdicts[:4]]
    assert [[name for name, _ in panel.groups] for panel in panels(made)] == [["mse_gep"], ["asw"]]


def test_long_whiskers_are_cut_and_marked() -> None:
    """An interval far longer than the differences ends in an arrow instead of squashing the rest."""
    first, *rest = sample().verdicts[:4]
    rows = panels([replace(first, ci=(-50.0, 60.0)), *rest])[0].groups[0][1]
    assert rows[0].cut == (True, True)
    assert rows[1].cut == (False, False)
    assert rows[1].high is not None
    assert rows[1].low is not None
    assert rows[1].high - rows[1].low > 5


def test_what_has_no_difference_is_not_drawn() -> None:
    """A verdict without an interval is a point, one without a difference is left out."""
    (panel,) = panels([verdict("d", "hvg", "asw", ci=None), verdict("d", "pca", "asw", difference=None, ci=None)])
    (row,) = panel.groups[0][1]
    assert (row.verdict.baseline, row.low, row.high) == ("hvg", None, None)

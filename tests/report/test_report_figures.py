"""What the pages compute: the matrix, the axis of a forest plot, numbers as words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import SCORES, THEIRS, broken, sample, verdict

from zsgate.report import words
from zsgate.report.matrix import matrices
from zsgate.report.page import forest
from zsgate.report.record import complete


def states(record: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return the state of each (baseline, metric) of the first dataset."""
    return {(name, cell.metric): cell.state for name, cells in matrices(complete(record))[0].rows for cell in cells}


def test_matrix_holds_every_pair(record: dict[str, Any]) -> None:
    """The matrix of a full run has one cell for each baseline and metric, with the outcome of its verdict."""
    expected = {(v["baseline"], v["metric"]): v["outcome"] for v in record["verdicts"]}
    assert states(record) == expected
    assert len(expected) == len(SCORES) * len(THEIRS)


def test_matrix_tells_error_from_untested() -> None:
    """A test that erred is an error, one that never ran is not tested; a control's error is neither."""
    record = broken()
    assert states(record)["scvi", "batch_score"] == "error"
    assert states(record)["random_init", "batch_score"] == "not tested"
    record["failures"][0]["what"] = "control"
    assert states(record)["scvi", "batch_score"] == "not tested"


def test_baseline_never_judged_has_a_row() -> None:
    """A baseline that could not be tested at all keeps its row, every cell with the reason."""
    record = sample()
    record["verdicts"] = [v for v in record["verdicts"] if v["baseline"] != "random_init"]
    record["not_tested"] = [{"what": "random_init", "dataset": "pancreas_quick", "reason": "no twin"}]
    row = dict(matrices(complete(record))[0].rows)["random_init"]
    assert {(cell.state, cell.why) for cell in row} == {("not tested", "no twin")}


def test_metric_never_judged_has_a_column() -> None:
    """A metric that a dataset cannot have keeps its column there when other datasets have it."""
    record = sample()
    record["verdicts"] += [verdict("pbmc_95k", "hvg", "asw")]
    record["not_tested"] = [{"what": "batch_score", "dataset": "pbmc_95k", "reason": "one batch"}]
    grid = matrices(complete(record))[1]
    assert grid.metrics == ["asw", "batch_score"]
    assert [cell.why for cell in grid.rows[0][1]][1] == "one batch"


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0, 1e3)), min_size=1, max_size=8), st.floats(0, 5))
def test_axis_holds_everything(differences: list[tuple[float, float]], margin: float) -> None:
    """Every difference, zero and margin lies on its axis, whiskers are ordered, and 0 is a tick."""
    made = [
        verdict("d", f"b{i}", "asw", difference=d, ci=[d - half, d + half], margin=margin)
        for i, (d, half) in enumerate(differences)
    ]
    (panel,) = forest.panels(made)
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
    made = [verdict("d", "hvg", "mse_gep", difference=500.0, ci=[400.0, 600.0]), *sample()["verdicts"][:4]]
    assert [[name for name, _ in panel.groups] for panel in forest.panels(made)] == [["mse_gep"], ["asw"]]


def test_long_whiskers_are_cut_and_marked() -> None:
    """An interval far longer than the differences ends in an arrow instead of squashing the rest."""
    made = sample()["verdicts"][:4]
    made[0]["ci"] = [-50.0, 60.0]
    rows = forest.panels(made)[0].groups[0][1]
    assert rows[0].cut == (True, True)
    assert rows[1].cut == (False, False)
    assert rows[1].high is not None
    assert rows[1].low is not None
    assert rows[1].high - rows[1].low > 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.000"), (-0.0901, "−0.090"), (123.456, "123.5"), (0.00004, "4.0e−05"), (-2e7, "−2.0e+07")],
)
def test_numbers_read_well(value: float | None, text: str) -> None:
    """Three decimals where they say something, a true minus sign, a dash for nothing."""
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_read_well(names: list[str], text: str) -> None:
    """Names are joined as a sentence joins them."""
    assert words.joined(names) == text

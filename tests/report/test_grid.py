"""The grid of verdicts: every pair that was planned has a cell that says what became of it."""

from __future__ import annotations

from itertools import chain

from made_records import SCORES, THEIRS, broken, judged, sample, verdict
from msgspec.structs import replace

from zsgate.report.grid import grids, shown
from zsgate.report.page.html import render
from zsgate.report.record import GateState, MetricRecord, NotTestedRecord, Record, SelectionRecord, VerdictRecord
from zsgate.report.record.waiver import WaiverTerms


def states(record: Record) -> dict[tuple[str, str], str]:
    """Return the state of each (baseline, metric) of the first dataset."""
    return {(name, cell.metric): cell.state for name, cells in grids(record)[0].rows for cell in cells}


def test_a_grid_holds_every_pair(record: Record) -> None:
    """The grid of a full run has one cell for each baseline and metric, with the outcome of its verdict."""
    expected = {(v.baseline, v.metric): v.outcome for v in record.verdicts}
    assert states(record) == expected
    assert len(expected) == len(SCORES) * len(THEIRS)


def test_an_error_is_another_thing_than_no_test() -> None:
    """A test that erred is an error, one that never ran is not tested; a control's error is neither.

    In a run that ended with every test that makes sense, what has no test is not applicable.
    """
    record = broken()
    assert states(record)["scvi", "batch_score"] == "error"
    assert states(record)["random_init", "batch_score"] == "not tested"
    failed = replace(record.failures[0], what="control")
    assert states(replace(record, failures=(failed,)))["scvi", "batch_score"] == "not tested"


def test_a_gap_in_a_whole_run_is_no_test() -> None:
    """Where nothing was left out; else nobody knows whether there is one."""
    record = judged(sample(), [each for each in sample().verdicts if (each.baseline, each.metric) != ("hvg", "asw")])
    assert states(record)["hvg", "asw"] == "not applicable"
    for changed in (
        replace(record, selection=SelectionRecord(n_due=20, n_selected=19)),
        replace(record, gate=GateState.INTERRUPTED),
    ):
        assert states(changed)["hvg", "asw"] == "not tested"


def test_each_claim_has_a_grid_of_its_own() -> None:
    """Cell types first; a baseline that could not be had is missed where it would have been asked, not among genes."""
    named = {"asw": "cell types", "batch_score": "batches", "mse_gep": "hidden genes"}
    verdicts = [
        verdict("d", "mean" if name == "mse_gep" else "hvg", name) for name in ("batch_score", "mse_gep", "asw")
    ]
    metrics = tuple(MetricRecord(name=name, claim=claim) for name, claim in named.items())
    absent = NotTestedRecord(what="scvi", reason="not installed")
    found = grids(replace(judged(sample(), verdicts), metrics=metrics, not_tested=(absent,)))
    assert [(grid.claim, grid.metrics) for grid in found] == [(named[name], [name]) for name in named]
    assert [[name for name, _ in grid.rows] for grid in found] == [["hvg", "scvi"], ["hvg", "scvi"], ["mean"]]


def test_baseline_never_judged_has_a_row() -> None:
    """A baseline that could not be tested at all keeps its row, every cell with the reason."""
    record = judged(sample(), [v for v in sample().verdicts if v.baseline != "random_init"])
    skipped = NotTestedRecord(what="random_init", dataset="pancreas_quick", reason="no twin")
    row = dict(grids(replace(record, not_tested=(skipped,)))[0].rows)["random_init"]
    assert {(cell.state, cell.why) for cell in row} == {("not tested", "no twin")}


def test_metric_never_judged_has_a_column() -> None:
    """A metric that a dataset cannot have keeps its column there when other datasets have it."""
    record = judged(sample(), [*sample().verdicts, verdict("pbmc_95k", "hvg", "asw")])
    skipped = NotTestedRecord(what="batch_score", dataset="pbmc_95k", reason="one batch")
    grid = grids(replace(record, not_tested=(skipped,)))[1]
    assert grid.metrics == ["asw", "batch_score"]
    assert [cell.why for cell in grid.rows[0][1]][1] == "one batch"


def test_what_is_skipped_everywhere_is_in_every_grid() -> None:
    """A reason that names no dataset holds for all of them; a suite that does not apply has no row."""
    record = judged(sample(), [verdict(name, "hvg", "asw") for name in ("a", "b")])
    skipped = NotTestedRecord(what="scvi", reason="not installed")
    suite = NotTestedRecord(what="reconstruction", suite="test_reconstruction", reason="no head")
    for grid in grids(replace(record, not_tested=(skipped, suite))):
        assert [name for name, _ in grid.rows] == ["hvg", "scvi"]
        assert grid.rows[1][1][0].why == "not installed"


def test_anchors_are_unique(record: Record) -> None:
    """Two verdicts on the same have two ids, and the grid leads to the first."""
    twice = judged(record, [record.verdicts[0], record.verdicts[0]])
    assert [each.anchor for each in shown(twice)] == [
        "verdict-pancreas_quick-hvg-asw",
        "verdict-pancreas_quick-hvg-asw-2",
    ]
    assert grids(twice)[0].rows[0][1][0].anchor == "verdict-pancreas_quick-hvg-asw"


def test_what_stands_for_a_grid_is_the_worst_of_what_decides() -> None:
    """Beats only where every test passed and none is missing; an advisory verdict says nothing of it."""
    passes = [verdict("d", name, "asw", outcome="beats", passed=True) for name in ("hvg", "pca")]
    loses = verdict("d", "scvi", "asw", outcome="loses", passed=False)
    unsure = verdict("d", "harmony", "asw", outcome="inconclusive", passed=False)
    absent = replace(sample(), not_tested=(NotTestedRecord(what="scvi", reason="not installed"),))

    def standing(*verdicts: VerdictRecord, of: Record | None = None) -> tuple[str, tuple[int, int]]:
        (grid,) = grids(judged(sample() if of is None else of, list(verdicts)))
        return grid.standing, grid.deciding

    assert standing(*passes) == ("beats", (2, 2))
    assert standing(*passes, replace(loses, advisory=True)) == ("beats", (2, 2))
    assert standing(*passes, unsure) == ("inconclusive", (2, 3))
    assert standing(*passes, unsure, loses) == ("loses", (2, 4))
    assert standing(*passes, of=absent) == ("not tested", (2, 2))


def test_a_waived_loss_is_called_so_at_a_glance() -> None:
    """It stays a loss of the dataset, and a reader sees why the run passed."""
    terms = WaiverTerms(match="*", reason="known", owner="Ada", expires="2030-01-01", max_deficit=None)
    passes = verdict("d", "hvg", "asw", outcome="beats", passed=True)
    excused = verdict("d", "pca", "asw", outcome="loses", passed=False, waiver=terms)
    made = [judged(sample(), verdicts) for verdicts in ([passes], [passes, excused])]
    assert [(grid.standing, grid.waived) for grid in chain(*map(grids, made))] == [("beats", 0), ("loses", 1)]
    both = judged(sample(), [passes, excused, replace(passes, dataset="e")])
    assert "1 of 2, 1 waived" in render(both)

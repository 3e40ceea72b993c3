"""What a run found beside verdicts: scores, controls, failures, candidate checks, and what was not tested."""

from __future__ import annotations

from typing import Literal

from zsgate.report.record.entry import Count, Entry


class ScoreRecord(Entry, frozen=True, kw_only=True):
    """The candidate's score by one metric with its leave-outs: what ``--against`` reads in a later run.

    Attributes
    ----------
    dataset
        Whose cells were scored.
    metric
        By what.
    value
        Mean over draws.
    draws
        The value under each seed.
    leave_outs
        The value without each unit.
    units
        Names of the units.
    unit
        What a unit is, a donor or a group of cells.
    cells
        Digest of cells, labels, batches and units; only scores of equal digests can be paired.
    recipe
        Id and hash of the recipe.
    higher_is_better
        Orientation of the metric.
    unit_halves
        The value in both halves of splits of the units.
    balanced
        The value with every unit weighing the same.
    n_effective
        Number of equally large units that know as much.
    by_type
        What the metric says of each cell type, in the order of their names.
    confusion
        Number of cells of each type, in that order, in each cluster of the partition that was scored first.
    """

    dataset: str
    metric: str
    value: float | None
    draws: tuple[float | None, ...]
    leave_outs: tuple[float | None, ...] = ()
    units: tuple[str, ...] = ()
    unit: Literal["donor", "cells"] = "donor"
    cells: str = ""
    recipe: str = ""
    higher_is_better: bool = True
    unit_halves: tuple[tuple[float | None, float | None], ...] = ()
    balanced: float | None = None
    n_effective: float | None = None
    by_type: tuple[float | None, ...] = ()
    confusion: tuple[tuple[Count, ...], ...] = ()


class ControlRecord(Entry, frozen=True, kw_only=True):
    """What a control, an embedding of known worth, had to do and did.

    Attributes
    ----------
    nodeid
        Id of the test.
    control
        Its name.
    dataset
        What it was judged on.
    metric
        By what; empty where no metric is needed.
    baseline
        Against what; null where no baseline is needed.
    expected
        What it must do.
    got
        What it did.
    passed
        False breaks the gate, unless it is advisory.
    advisory
        The metric decides nothing in this run: a control that fails says that the metric cannot be used.
    too_little
        Not shown to lose where the oracle wins: the dataset is too small or poor, and verdicts there do not count.
    why
        What a failure would mean.
    sentence
        What it did, in one sentence.
    """

    nodeid: str
    control: str
    dataset: str
    metric: str = ""
    baseline: str | None = None
    expected: Literal["beats", "loses", "refused", "equal", "fails"]
    got: str
    passed: bool
    advisory: bool = False
    too_little: bool = False
    why: str = ""
    sentence: str = ""


class FailureRecord(Entry, frozen=True, kw_only=True):
    """A test that ended without a verdict.

    Attributes
    ----------
    nodeid
        Id of the test; empty where no test was running.
    what
        Whose fault it is.
    dataset, metric, baseline
        As in the test's parameters; null where it has none.
    message
        What went wrong.
    """

    nodeid: str
    what: Literal["candidate", "baseline", "control", "gate"] = "gate"
    dataset: str | None = None
    metric: str | None = None
    baseline: str | None = None
    message: str = ""


class CheckRecord(Entry, frozen=True, kw_only=True):
    """How far the candidate's rows moved when few cells were embedded again.

    Attributes
    ----------
    nodeid
        Id of the test; empty of what is checked with the embedding itself.
    dataset
        Whose cells.
    check
        How they were embedded again.
    cells
        Number of them.
    moved
        The largest distance between a row and the same row before.
    typical
        The root mean square of these distances.
    apart
        Median distance between two cells.
    chance
        The largest distance between a row and the same row in another draw or call, of a model that draws chance.
    """

    nodeid: str = ""
    dataset: str
    check: str
    cells: Count = 0
    moved: float | None = None
    typical: float | None = None
    apart: float | None = None
    chance: float | None = None


class TwinsRecord(Entry, frozen=True, kw_only=True):
    """What the untrained twins of a dataset are worth, for whoever reads a verdict against them.

    Attributes
    ----------
    dataset
        Whose cells were scored.
    metric
        By what.
    value
        Score of the twins, the mean over them.
    projection
        Score of the log counts on 64 random axes.
    shuffled
        Score of one twin's rows in random order.
    remark
        That beating such twins says little, and why; empty where it does say something. It decides nothing.
    """

    dataset: str
    metric: str
    value: float | None
    projection: float | None
    shuffled: float | None
    remark: str = ""


class NotTestedRecord(Entry, frozen=True, kw_only=True):
    """What was not tested, and why.

    Attributes
    ----------
    what
        A baseline, a metric or a suite.
    suite
        Set where a whole suite makes no sense for the model.
    dataset
        Null: every dataset.
    metric
        The metric, where ``what`` is about one.
    baseline
        The baseline, where ``what`` is about one.
    reason
        Why.
    """

    what: str
    suite: str | None = None
    dataset: str | None = None
    metric: str | None = None
    baseline: str | None = None
    reason: str


class SelectionRecord(Entry, frozen=True, kw_only=True):
    """Which of the tests that make sense for the candidate and the datasets were to run.

    Attributes
    ----------
    n_due
        Tests that make sense.
    n_selected
        Those of them that were to run.
    left_out_by
        What left out the others, as one would type it: ``-k``, node ids, a conftest.
    datasets
        Names of what the project judges on, in this run or another; a shard says by them what the others are of.
    """

    n_due: Count = 0
    n_selected: Count = 0
    left_out_by: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    @property
    def n_left_out(self) -> int:
        """Tests that make sense and were not to run."""
        return self.n_due - self.n_selected

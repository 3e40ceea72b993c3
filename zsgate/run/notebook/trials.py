"""Trials: the tests of the suites that make sense for rows in memory, asked without pytest.

The suites say the same, a claim a file; ``tests/notebook`` holds these trials to what they come to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from zsgate.data.dataset import Dataset
from zsgate.errors import whose
from zsgate.metrics import METRICS, knn_purity
from zsgate.metrics.metric import Metric
from zsgate.report.record import ControlRecord, FailureRecord, ScoreRecord
from zsgate.report.wire import Found
from zsgate.run.checks.controls import DEAD, KNOWN
from zsgate.run.checks.controls import Control as Known
from zsgate.run.findings.gathered import Gathered
from zsgate.run.findings.judgement import judge_in_run
from zsgate.run.findings.proof import Pair, proved, proviso_of, refused, unread
from zsgate.run.methods import Method
from zsgate.run.notebook.held import HeldRun
from zsgate.system.progress import steps, waiting
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Names
from zsgate.verdict.verdict import judge

AGAINST = "test_against", "The candidate does better than another model, or than an earlier run says of one."
SUITES = {  # by what a metric speaks of: the suite, and the first sentence of what it claims
    "batches": (
        "test_batch_integration",
        "Batches mix better within cell types in the candidate's embedding than in a baseline's.",
    ),
    "cell types": (
        "test_cell_type_clustering",
        "Cell types separate better in the candidate's embedding than in a baseline's.",
    ),
}
TESTS = {"batches": "test_mixes_batches", "cell types": "test_separates_cell_types"}
PROOFS = {"batches": "test_mixing_without_cell_types_fails", "cell types": "test_separating_without_signal_fails"}


@dataclass(frozen=True, slots=True)
class Trial:
    """One test.

    Attributes
    ----------
    nodeid
        Its id, as pytest has it for the same test.
    names
        What it is about, for who reads of its failure.
    find
        Judges.
    decides
        Whether it is one of the candidate's, by a metric that decides.
    """

    nodeid: str
    names: dict[str, str]
    find: Callable[[], Found]
    decides: bool = False


def verdicts(run: HeldRun, against: Sequence[str]) -> Iterator[Trial]:
    """Yield the trials of the candidate against each of these, on every metric that can be computed."""
    rivals = [name for name in against if name in run.rivals]
    for claim, suite in [*((claim, AGAINST) for claim in SUITES), *SUITES.items()]:
        others = rivals if suite is AGAINST else [name for name in against if name not in rivals]
        for baseline in others:
            for metric in METRICS.values():
                if metric.claim == claim and not run.objection(run.cells.name, baseline, metric.name):
                    yield _of_candidate(run, run.method(baseline), metric, suite)


def controls(run: HeldRun, against: Sequence[str]) -> Iterator[Trial]:
    """Yield the trials of the controls that concern these: against HVG and PCA, and what else is compared with."""
    name = run.cells.name
    at_hand = {"hvg", "pca", *against}
    for known in (*KNOWN, *(each for claim in DEAD for each in DEAD[claim])):  # a copy is of a model that predicts
        for baseline in filter(at_hand.__contains__, known.baselines):
            for metric in (METRICS[each] for each in known.metrics):
                if not run.objection(name, baseline, metric.name):
                    yield _of_control(run, known, run.method(baseline), metric)
    nodeid = f"test_controls.py::test_constant_is_refused[{name}]"
    constant = [[1.0, 2.0]] * run.dataset(name).n_cells
    yield Trial(nodeid, {"dataset": name}, lambda: _one(refused(nodeid, run.dataset(name), constant)))
    for metric in METRICS.values():
        if metric.clusters and not run.objection(name, metric=metric.name):
            yield _of_graph(run, metric)


def gather(run: HeldRun, trials: Sequence[Trial], due: Sequence[Trial]) -> Gathered:
    """Return what the trials find, and settle what takes all of them.

    Parameters
    ----------
    run
        The run.
    trials
        What is asked, in order.
    due
        All trials that would decide, asked or not.
    """
    gathered = Gathered(run.config)
    with steps(f"{run.candidate.name}: judging", len(trials), "test") as advance:
        for trial in trials:
            with waiting(trial.nodeid.rpartition("::")[2], background=True):
                found = _found(trial)
            gathered.add(trial.nodeid, found)
            gathered.add_beside(found)
            advance(1)
    gathered.timings += run.ledger.timings
    gathered.settle([trial.nodeid for trial in trials], {trial.nodeid for trial in due if trial.decides})
    return gathered


def _found(trial: Trial) -> Found:
    """Return what a trial finds, or whose fault it is that it judges nothing."""
    try:
        return trial.find()
    except Exception as error:  # the boundary of a test: whatever it is, the others have their turn
        what = whose(error)
        message = str(error) if what != "gate" else f"{type(error).__name__}: {error}"
        failure = FailureRecord(nodeid=trial.nodeid, what=what, message=message, **trial.names)
        return Found(failures=(failure,))


def _of_candidate(run: HeldRun, baseline: Method, metric: Metric, suite: tuple[str, str]) -> Trial:
    dataset, (module, claim) = run.dataset(run.cells.name), suite
    nodeid = f"{module}.py::{TESTS[metric.claim]}[{dataset.name}-{baseline.name}-{metric.name}]"
    names = Names(model=run.candidate.name, baseline=baseline.name, dataset=dataset.name)

    def find() -> Found:
        pair = _scores(run.candidate, baseline, metric, dataset)
        signal, floor = _beside(run.candidate, baseline, metric, pair[0], dataset)
        judgement = judge_in_run(run, *pair, names, proviso=proviso_of(signal, floor))
        scores = [ScoreRecord(dataset=dataset.name, **asdict(each)) for each in (pair[0], *(floor or ())[:1])]
        return Found(verdicts=(judgement.record(nodeid=nodeid, suite=module, claim=claim),), scores=tuple(scores))

    return Trial(nodeid, _about(dataset, metric, baseline), find, metric.name in run.deciding)


def _of_control(run: HeldRun, known: Known, baseline: Method, metric: Metric) -> Trial:
    dataset, control = run.dataset(run.cells.name), run.control(known.name)
    test = PROOFS[metric.claim] if known.must == "fails" else "test_gets_what_it_deserves"
    nodeid = f"test_controls.py::{test}[{dataset.name}-{known.name}-{baseline.name}-{metric.name}]"
    names = Names(model=control.name, baseline=baseline.name, dataset=dataset.name)

    def find() -> Found:
        pair = _scores(control, baseline, metric, dataset)
        beside = _beside(control, baseline, metric, pair[0], dataset) if known.must == "fails" else (None, None)
        return _one(proved(run, nodeid, known, judge(*pair, names=names, proviso=proviso_of(*beside))))

    return Trial(nodeid, _about(dataset, metric, baseline), find)


def _of_graph(run: HeldRun, metric: Metric) -> Trial:
    dataset = run.dataset(run.cells.name)
    nodeid = f"test_controls.py::test_stale_graph_changes_nothing[{dataset.name}-{metric.name}]"
    return Trial(nodeid, _about(dataset, metric), lambda: _one(unread(run, nodeid, dataset, metric)))


def _scores(ours: Method, theirs: Method, metric: Metric, dataset: Dataset) -> Pair:
    return metric(ours.embed(dataset), dataset), theirs.score(metric, dataset)


def _beside(
    ours: Method, theirs: Method, metric: Metric, score: Score, dataset: Dataset
) -> tuple[Pair | None, Pair | None]:
    """Return (signal, floor): mixed batches count only where cell types stay apart, and these only above chance."""
    if metric.claim == "batches":
        return None, _scores(ours, theirs, knn_purity, dataset)
    return (score, metric(ours.shuffled(dataset), dataset)), None


def _about(dataset: Dataset, metric: Metric, baseline: Method | None = None) -> dict[str, str]:
    about = {"dataset": dataset.name, "metric": metric.name}
    return about if baseline is None else {**about, "baseline": baseline.name}


def _one(record: ControlRecord) -> Found:
    return Found(controls=(record,))

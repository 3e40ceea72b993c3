"""Judgement: the verdict of one test of this run, and what excuses it if it does not pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from zsgate.data.leakage import exposure as leakage
from zsgate.data.leakage.exposure import Exposure
from zsgate.metrics import METRICS
from zsgate.report.record import Outcome, PretrainingRecord, SeedsRecord, VarianceRecord, VerdictRecord
from zsgate.run.checks.shift import shift
from zsgate.run.run import Run
from zsgate.verdict.difference import can_pair
from zsgate.verdict.match import matches
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Names, Proviso, Terms
from zsgate.verdict.threshold import terms_for
from zsgate.verdict.verdict import Verdict, judge
from zsgate.verdict.waiver import Waiver

# what a verdict and its record have in common
SHARED = (
    *("model", "dataset", "metric", "baseline", "ours", "theirs", "difference", "level", "passed", "policy", "margin"),
    *("unit", "n_units", "n_effective", "balanced", "p", "detectable", "enough", "df", "reason", "sentence", "paired"),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is decided on one test.

    Attributes
    ----------
    verdict
        The verdict; it passes only if every term is met.
    threshold
        What our own value had to reach; None where nothing is said.
    advisory
        Whether the verdict is shown and does not decide the run.
    waiver
        The waiver that covers a verdict that does not pass, or None.
    exposure
        Whether the candidate saw the dataset in pretraining.
    by_type
        What the metric says of each cell type on either side, types in the order of their names.
    """

    verdict: Verdict
    threshold: float | None = None
    advisory: bool = False
    waiver: Waiver | None = None
    exposure: Exposure | None = None
    by_type: tuple[tuple[float | None, float | None], ...] = ()

    def record(self, *, nodeid: str, suite: str, claim: str) -> VerdictRecord:
        """Return the verdict of a test as the record of a run has it.

        Parameters
        ----------
        nodeid, suite, claim
            The test, the name of its suite, and what that claims.
        """
        verdict = self.verdict
        variance = VarianceRecord() if verdict.variance is None else VarianceRecord(**asdict(verdict.variance))
        exposure = self.exposure
        pretraining = None if exposure is None else PretrainingRecord(status=exposure.status, source=exposure.source)
        shared = {name: getattr(verdict, name) for name in SHARED}
        return VerdictRecord(
            **shared,
            nodeid=nodeid,
            suite=suite,
            claim=claim,
            ci=verdict.interval,
            outcome=Outcome(verdict.outcome),
            advisory=self.advisory,
            waiver=None if self.waiver is None else self.waiver.terms,
            threshold=self.threshold,
            seeds=SeedsRecord(ours=verdict.seeds_ours, theirs=verdict.seeds_theirs),
            se=math.sqrt(verdict.variance.total) if verdict.variance else None,
            variance=variance,
            pretraining=pretraining or PretrainingRecord(),
            by_type=self.by_type,
        )


def judge_in_run(
    run: Run, ours: Score, theirs: Score, names: Names, *, proviso: Proviso | None = None, objection: str = ""
) -> Judgement:
    """Return the judgement on the candidate by the run's terms and those of pyproject.toml for this test.

    Parameters
    ----------
    run
        The run.
    ours, theirs
        Scores of the candidate and of the baseline by one metric.
    names
        The candidate, the baseline and the dataset.
    proviso, objection
        What else decides whether it passes; see :func:`zsgate.verdict.verdict.judge`.
    """
    test = (names.dataset, names.baseline, ours.metric)
    exposure = run.exposure(names.dataset)
    leaked = leakage.objection(exposure, run.config.leakage)
    terms = _terms(run, ours, theirs, test)
    objections = "; ".join(filter(None, (objection, leaked)))
    verdict = judge(ours, theirs, terms, names, proviso=proviso, objection=objections)
    if verdict and (moves := _unsteady(run, verdict)):
        verdict = verdict.not_passed(moves)
    advisory, waiver = ours.metric not in run.deciding, None
    if not (verdict or advisory or leaked):  # a waiver excuses being behind, not cells that were seen
        verdict, waiver = _waived(verdict, run.config.waiver)
    alike = len(ours.by_type) == len(theirs.by_type)  # a recorded score may know of none
    by_type = tuple(zip(ours.by_type, theirs.by_type, strict=True)) if alike else ()
    return Judgement(verdict, terms.threshold, advisory, waiver, exposure, by_type)


def _terms(run: Run, ours: Score, theirs: Score, test: tuple[str, str, str]) -> Terms:
    """Return what the test must reach; scores of an earlier run are paired only where they are of the same cells."""
    config, baseline, reference = run.config, test[1], run.reference
    recorded = reference is not None and reference.name == baseline and reference.model is None
    usual = Terms(
        policy=config.policy,
        margin=config.margin,
        paired=not recorded or can_pair(ours, theirs),
        exchangeable=baseline == "random_init",
    )
    return terms_for(test, config.threshold, usual)


def _unsteady(run: Run, verdict: Verdict) -> str:
    """Return that the candidate's rows move too far when embedded again to trust a verdict, or an empty string."""
    if verdict.metric not in METRICS or verdict.interval is None:
        return ""
    dataset = run.dataset(verdict.dataset)
    moved = shift(METRICS[verdict.metric], run.candidate.embed(dataset), dataset)
    if moved <= (verdict.interval[1] - verdict.interval[0]) / 4:
        return ""
    said = f"its rows move when they are embedded again, and by that its {verdict.metric} by {moved:.3f}"
    return f"{said}, more than half of the interval's half-width"


def _waived(verdict: Verdict, waivers: Sequence[Waiver]) -> tuple[Verdict, Waiver | None]:
    """Return a verdict that did not pass with the waiver that covers it, or with why none does."""
    objections = []
    for waiver in waivers:
        if matches(waiver.match, verdict.dataset, verdict.baseline, verdict.metric):
            objection = waiver.objection(verdict.difference, date.today())
            if not objection:
                return verdict, waiver
            objections.append(objection)
    return (verdict.not_passed("; ".join(objections)) if objections else verdict), None

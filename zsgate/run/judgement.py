"""Judgement: the verdict of one test of this run, and what excuses it if it does not pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from zsgate.data.leakage import exposure as leakage
from zsgate.data.leakage.exposure import Exposure
from zsgate.metrics import METRICS
from zsgate.run.run import Trial
from zsgate.run.stability import shift
from zsgate.verdict.difference import can_pair
from zsgate.verdict.match import matches
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Names, Signal, Terms
from zsgate.verdict.threshold import terms_for
from zsgate.verdict.verdict import Verdict, judge
from zsgate.verdict.waiver import Waiver


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
    """

    verdict: Verdict
    threshold: float | None = None
    advisory: bool = False
    waiver: Waiver | None = None
    exposure: Exposure | None = None

    @property
    def excuse(self) -> str:
        """Why the run does not fail by a verdict that did not pass; empty where it passed, or fails the run."""
        if self.verdict:
            return ""
        if self.advisory:
            return f"advisory, does not decide the run: {self.verdict.sentence}"
        if self.waiver is None:
            return ""
        waived = self.waiver
        return f"waived until {waived.expires} by {waived.owner} ({waived.reason}): {self.verdict.sentence}"

    def as_dict(self) -> dict[str, Any]:
        """Return builtins only, as verdict.json carries them."""
        waiver = None if self.waiver is None else self.waiver.as_dict()
        return {
            "threshold": self.threshold,
            "advisory": self.advisory,
            "waiver": waiver,
            "pretraining": None if self.exposure is None else self.exposure.as_dict(),
            **self.verdict.as_dict(),
        }


def judge_in_run(
    trial: Trial, ours: Score, theirs: Score, names: Names, *, signal: Signal | None = None, objection: str = ""
) -> Judgement:
    """Return the judgement on the candidate by the run's terms and those of pyproject.toml for this test.

    Parameters
    ----------
    trial
        The run.
    ours, theirs
        Scores of the candidate and of the baseline by one metric.
    names
        The candidate, the baseline and the dataset.
    signal, objection
        What else decides whether it passes; see :func:`zsgate.verdict.verdict.judge`.
    """
    test = (names.dataset, names.baseline, ours.metric)
    exposure = trial.exposure(names.dataset)
    leaked = leakage.objection(exposure, trial.config.leakage)
    terms = _terms(trial, ours, theirs, test)
    objections = "; ".join(filter(None, (objection, leaked)))
    verdict = judge(ours, theirs, terms, names, signal=signal, objection=objections)
    if verdict and (moves := _unsteady(trial, verdict)):
        verdict = verdict.not_passed(moves)
    advisory = ours.metric not in trial.deciding
    if verdict or advisory or leaked:  # a waiver excuses being behind, not cells that were seen
        return Judgement(verdict, terms.threshold, advisory, exposure=exposure)
    verdict, waiver = _waived(verdict, trial.config.waiver)
    return Judgement(verdict, terms.threshold, advisory, waiver, exposure)


def _terms(trial: Trial, ours: Score, theirs: Score, test: tuple[str, str, str]) -> Terms:
    """Return what the test must reach; scores of an earlier run are paired only where they are of the same cells."""
    config, baseline, rival = trial.config, test[1], trial.rival
    recorded = rival is not None and rival.name == baseline and rival.adapter is None
    usual = Terms(
        policy=config.policy,
        margin=config.margin,
        paired=not recorded or can_pair(ours, theirs),
        exchangeable=baseline == "random_init",
    )
    return terms_for(test, config.threshold, usual)


def _unsteady(trial: Trial, verdict: Verdict) -> str:
    """Return that the candidate's rows move too far when embedded again to trust a verdict, or an empty string."""
    if verdict.metric not in METRICS or verdict.interval is None:
        return ""
    dataset = trial.dataset(verdict.dataset)
    moved = shift(METRICS[verdict.metric], trial.embedding(trial.config.model, dataset), dataset)
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

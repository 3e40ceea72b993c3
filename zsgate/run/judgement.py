"""Ruling: a verdict by the terms that hold for its test, and who excuses it if it does not pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from zsgate.data.dataset import Dataset
from zsgate.data.leakage import exposure as leakage
from zsgate.data.leakage.exposure import Exposure
from zsgate.metrics import METRICS
from zsgate.run.run import Trial
from zsgate.run.stability import shift
from zsgate.verdict.difference import can_pair
from zsgate.verdict.match import matches
from zsgate.verdict.score import Score
from zsgate.verdict.threshold import Threshold, terms
from zsgate.verdict.verdict import Verdict, judge
from zsgate.verdict.waiver import Waiver

CLEAR = 0.05  # where no interval can be had, a signal that large is no noise: its scores differ by a tenth of that


@dataclass(frozen=True, slots=True)
class Ruling:
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
        """Why a verdict that does not pass does not fail the run; empty where it does, or where it passes."""
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


def rule(
    trial: Trial,
    ours: Score,
    theirs: Score,
    *,
    dataset: Dataset,
    baseline: str,
    provided: tuple[Score, Score] | None = None,
    unless: str = "",
) -> Ruling:
    """Return the ruling on the candidate by the run's terms and those of pyproject.toml for this test."""
    config, test = trial.config, (dataset.name, baseline, ours.metric)
    exposure = trial.exposure(dataset.name)
    leaked = leakage.objection(exposure, config.leakage)
    unless = "; ".join(filter(None, (unless, leaked)))
    wanted = terms(config.threshold, config.policy, config.margin, *test)
    recorded = trial.rival is not None and trial.rival.name == baseline and trial.rival.adapter is None
    verdict = decided(
        wanted,
        ours,
        theirs,
        paired=not recorded or can_pair(ours, theirs),
        model=config.model,
        dataset=dataset,
        baseline=baseline,
        provided=provided,
        unless=unless,
        exchangeable=baseline == "random_init",
    )
    if verdict and ours.metric in METRICS and verdict.interval is not None:
        moved = shift(METRICS[ours.metric], trial.embedding(config.model, dataset), dataset)
        if moved > (verdict.interval[1] - verdict.interval[0]) / 4:
            said = f"its rows move when they are embedded again, and by that its {ours.metric} by {moved:.3f}"
            verdict = verdict.unless(f"{said}, more than half of the interval's half-width")
    advisory = ours.metric not in trial.deciding
    if verdict or advisory or leaked:  # a waiver excuses being behind, not cells that were seen
        return Ruling(verdict, wanted.threshold, advisory, exposure=exposure)
    objections = []
    for waiver in config.waiver:
        if matches(waiver.match, *test):
            objection = waiver.objection(verdict.difference, date.today())
            if not objection:
                return Ruling(verdict, wanted.threshold, advisory, waiver, exposure)
            objections.append(objection)
    for objection in objections:
        verdict = verdict.unless(objection)
    return Ruling(verdict, wanted.threshold, advisory, exposure=exposure)


def decided(
    wanted: Threshold,
    ours: Score,
    theirs: Score,
    *,
    model: str,
    dataset: Dataset,
    baseline: str,
    provided: tuple[Score, Score] | None = None,
    unless: str = "",
    paired: bool = True,
    exchangeable: bool = False,
) -> Verdict:
    """Return the verdict; it passes only if the first of ``provided`` beats the second, and ``unless`` is empty."""
    verdict = judge(
        ours,
        theirs,
        margin=wanted.margin or 0.0,
        policy=wanted.policy or "beats",  # type: ignore[arg-type]
        model=model,
        baseline=baseline,
        dataset=dataset.name,
        paired=paired,
        exchangeable=exchangeable,
    )
    if wanted.threshold is not None and not _reaches(ours, wanted.threshold):
        verdict = verdict.unless(f"its own {ours.metric} of {ours.value:.3f} does not reach {wanted.threshold:g}")
    if unless:
        verdict = verdict.unless(unless)
    if provided is None:
        return verdict
    signal = judge(*provided, model=model, baseline="its shuffled twin", dataset=dataset.name)
    clear = verdict.policy == "point" and signal.interval is None and signal.difference > CLEAR
    if signal or clear:
        return verdict
    return verdict.unless(f"it does not count without cell-type signal: {signal.sentence}")


def _reaches(score: Score, threshold: float) -> bool:
    return score.value >= threshold if score.higher_is_better else score.value <= threshold

"""Verdict: what two scores on the same cells allow to be said about their difference.

The unit is the donor; ``zsgate.verdict.interval`` has the formula. An interval above the margin beats, one below 0
loses. Under ``noninferior``, whose margin says how much worse is still good enough, one above 0 beats. Whether a
verdict passes is decided here, and afterwards only taken back (``zsgate.verdict.uninformative``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from zsgate.verdict.difference import Difference
from zsgate.verdict.interval import LEVEL, Inference, Variance
from zsgate.verdict.score import Score
from zsgate.verdict.terms import FLOOR_MARGIN, UNNAMED, USUAL, Floor, Names, Proviso, Terms

Outcome = Literal["beats", "loses", "inconclusive"]
Interval = tuple[float, float]
CLEAR = 0.05  # without an interval, a signal this large is no noise: scores of noise differ by a tenth of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether ours beats theirs, and how sure that is; true when the test passes.

    Attributes
    ----------
    metric
        Name of the metric.
    ours, theirs
        The two values (mean over seeds).
    difference, interval
        ours - theirs, oriented so that positive is better; its 90 % two-sided interval, None where it cannot be had.
    outcome
        ``"beats"``, ``"loses"`` or ``"inconclusive"``.
    passed, policy, margin
        Whether the test passes, what lets it pass, and the difference that counts as better.
    reason
        Why there is no interval, or why it does not pass although it beats.
    unit, n_units, n_effective
        What was left out, how many of them there are, and how many equally large ones would know as much.
    balanced
        The difference if every unit weighed the same; None where unknown.
    seeds_ours, seeds_theirs
        Number of draws on each side; 1 for a side that draws nothing.
    variance
        Its parts; None where the interval is None.
    p
        One-sided p-value of what the policy asks: "ours is not better by more than the margin", and for
        ``noninferior`` "ours is worse by at least the margin".
    detectable
        Difference that a test with this variance finds with 80 % power.
    df, level
        Degrees of freedom and confidence of the interval.
    model, baseline, dataset
        Names for the sentence.
    paired
        Whether both were scored on the same cells.
    """

    metric: str
    ours: float
    theirs: float
    difference: float
    interval: Interval | None
    outcome: Outcome
    passed: bool
    policy: str
    margin: float
    reason: str = ""
    unit: str = "donor"
    n_units: int = 0
    n_effective: float | None = None
    balanced: float | None = None
    seeds_ours: int = 1
    seeds_theirs: int = 1
    variance: Variance | None = None
    p: float | None = None
    detectable: float | None = None
    df: float | None = None
    level: float = LEVEL
    model: str = "ours"
    baseline: str = "theirs"
    dataset: str = ""
    paired: bool = True

    def __bool__(self) -> bool:
        """Return whether the test passes."""
        return self.passed

    def __repr__(self) -> str:
        """Return the sentence: pytest prints it as the assertion's message."""
        return self.sentence

    @property
    def enough(self) -> float | None:
        """Difference that would just pass with an interval as wide as this one; None without an interval."""
        if self.policy == "point":
            return self.margin
        if self.interval is None:
            return None
        return (-self.margin if self.policy == "noninferior" else self.margin) + self.difference - self.interval[0]

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        said = {"beats": "beats", "loses": "loses to", "inconclusive": "is not shown to beat"}[self.outcome]
        if self.policy == "noninferior" and self.outcome == "inconclusive" and self.interval is not None:
            said = "is not inferior to" if self.interval[0] > -self.margin else "is not shown to be as good as"
        where = f" on {self.dataset}" if self.dataset else ""
        text = (
            f"{self.model} ({self.metric} {self.ours:.3f}) {said} {self.baseline} ({self.theirs:.3f}){where}: "
            f"difference {self.difference:+.3f}"
        )
        if self.interval is not None:
            units = f"{self.n_units} {'groups of cells' if self.unit == 'cells' else 'donors'}"
            low, high = self.interval
            text += f", {100 * self.level:.0f} % interval [{low:+.3f}, {high:+.3f}] over {units}"
        if self.enough is not None and self.difference < self.enough:
            text += f", where {self.enough:+.3f} would have been enough"
        if not self.paired:
            text += ", unpaired (other cells: both variances add, and part of the difference may be the cells')"
        if self.margin:
            text += f", margin {self.margin:g}"
        if self.policy != "beats":
            text += f", policy {self.policy}"
        return f"{text}; {self.reason}" if self.reason else text

    def not_passed(self, reason: str) -> Verdict:
        """Return this verdict, not passed for ``reason`` as well; the outcome stands."""
        return replace(self, passed=False, reason="; ".join(filter(None, (self.reason, reason))))


def judge(
    ours: Score,
    theirs: Score,
    terms: Terms = USUAL,
    names: Names = UNNAMED,
    *,
    proviso: Proviso | None = None,
    objection: str = "",
) -> Verdict:
    """Return the verdict on ``ours`` against ``theirs``.

    Parameters
    ----------
    ours, theirs
        Scores of the same metric and recipe on the same cells; or of the same population, where the terms are not
        ``paired``.
    terms
        What it must reach to pass.
    names
        Names for the sentence.
    proviso
        It passes only with signal: if the embedding's own score beats that of its rows in random order; or above a
        floor: if it is inferior to the baseline by less than 0.05 in separating cell types. None asks for neither.
        Where no interval can be had and the policy is ``"point"``, the bare difference has to be above 0.05, or -0.05.
    objection
        Why it does not pass, whatever the scores are; empty where nothing forbids it.

    Raises
    ------
    ValueError
        If the scores are of different metrics or recipes, or, where paired, of different cells or units.
    """
    verdict = _compared(ours, theirs, terms, names)
    for reason in (_below_threshold(ours, terms.threshold), objection, _unmet(proviso, terms, names)):
        verdict = verdict.not_passed(reason) if reason else verdict
    return verdict


def _compared(ours: Score, theirs: Score, terms: Terms, names: Names) -> Verdict:
    """Return the verdict by the difference alone."""
    if terms.paired:
        difference = Difference.paired(ours, theirs, exchangeable=terms.exchangeable)
    else:
        difference = Difference.unpaired(ours, theirs)
    undecided = difference.objection
    noninferior = terms.policy == "noninferior"
    found = Inference() if undecided else difference.infer(-terms.margin if noninferior else terms.margin)
    outcome = _outcome(found.interval, 0.0 if noninferior else terms.margin)
    return Verdict(
        metric=ours.metric,
        ours=ours.value,
        theirs=theirs.value,
        difference=difference.value,
        interval=found.interval,
        outcome=outcome,
        passed=_passes(terms, outcome, difference.value, found.interval),
        policy=terms.policy,
        margin=terms.margin,
        reason=undecided,
        unit=ours.unit,
        n_units=len(ours.units),
        n_effective=ours.n_effective,
        balanced=difference.balanced,
        seeds_ours=len(ours.draws),
        seeds_theirs=len(theirs.draws),
        variance=found.variance,
        p=found.p,
        detectable=found.detectable,
        df=found.df,
        model=names.model,
        baseline=names.baseline,
        dataset=names.dataset,
        paired=terms.paired,
    )


def _outcome(interval: Interval | None, margin: float) -> Outcome:
    if interval is None:
        return "inconclusive"
    low, high = interval
    return "beats" if low > margin else "loses" if high < 0 else "inconclusive"


def _passes(terms: Terms, outcome: Outcome, difference: float, interval: Interval | None) -> bool:
    if terms.policy == "point":
        return math.isfinite(difference) and difference > terms.margin
    if terms.policy == "noninferior":
        return interval is not None and interval[0] > -terms.margin
    return outcome == "beats"


def _below_threshold(score: Score, threshold: float | None) -> str:
    """Return that a score does not reach its threshold, or an empty string."""
    if threshold is None:
        return ""
    if score.value >= threshold if score.higher_is_better else score.value <= threshold:
        return ""
    return f"its own {score.metric} of {score.value:.3f} does not reach {threshold:g}"


def _unmet(proviso: Proviso | None, terms: Terms, names: Names) -> str:
    """Return that an embedding has no signal, or falls below the floor, or an empty string."""
    if proviso is None:
        return ""
    if isinstance(proviso, Floor):
        asked = Terms(policy="noninferior", margin=FLOOR_MARGIN, paired=terms.paired, exchangeable=terms.exchangeable)
        found, least = _compared(*proviso, asked, names), -FLOOR_MARGIN
        said = "it does not count where cell types are separated worse"
    else:
        found, least = _compared(*proviso, USUAL, replace(names, baseline="its shuffled twin")), CLEAR
        said = "it does not count without cell-type signal"
    if found or (terms.policy == "point" and found.interval is None and found.difference > least):
        return ""
    return f"{said}: {found.sentence}"

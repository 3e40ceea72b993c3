"""Verdict: what two scores on the same cells allow to be said about their difference.

The unit is the donor; ``zsgate.verdict.interval`` has the formulae. An interval above the margin beats, one below 0
loses. Under ``noninferior``, whose margin says how much worse is still as good, one above 0 beats.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from zsgate.verdict.difference import Pair
from zsgate.verdict.interval import LEVEL, Inference, Variance
from zsgate.verdict.score import Score
from zsgate.verdict.unpaired import Unpaired

Outcome = Literal["beats", "loses", "inconclusive"]
Policy = Literal["beats", "noninferior", "point"]
POLICIES: tuple[str, ...] = get_args(Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether ours beats theirs, and how sure that is; true when the test passes.

    Attributes
    ----------
    metric
        Name of the metric.
    ours, theirs
        The two values (mean over seeds).
    difference
        ours - theirs, oriented so that positive is better.
    interval
        90 % two-sided interval of the difference; None where it cannot be had.
    outcome
        ``"beats"``, ``"loses"`` or ``"inconclusive"``.
    passed
        Whether the policy lets the test pass.
    policy, margin
        What lets it pass, and the difference that counts as better.
    reason
        Why there is no interval, or why it does not pass although it beats.
    unit, n_units
        What was left out, and how many of them there are.
    n_effective
        Number of equally large units that would know as much, 1 / sum(share of the cells ** 2).
    balanced
        The difference if every unit weighed the same; None where unknown.
    seeds_ours, seeds_theirs
        Number of draws on each side; 1 for a side that draws nothing.
    variance
        Parts of the variance; None where the interval is None.
    p
        One-sided p-value of what the policy asks: "ours is not better by more than the margin", and for
        ``noninferior`` "ours is worse by at least the margin".
    detectable
        Difference that a test with this variance finds with 80 % power.
    df
        Degrees of freedom of the interval.
    level
        Confidence of the interval.
    model, baseline, dataset
        Names for the sentence and the report.
    paired
        Whether both were scored on the same cells.
    """

    metric: str
    ours: float
    theirs: float
    difference: float
    interval: tuple[float, float] | None
    outcome: Outcome
    passed: bool
    policy: Policy
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
        if not self.paired:
            text += ", unpaired (other cells: both variances add, and part of the difference may be the cells')"
        if self.margin:
            text += f", margin {self.margin:g}"
        if self.policy != "beats":
            text += f", policy {self.policy}"
        return f"{text}; {self.reason}" if self.reason else text

    def unless(self, objection: str) -> Verdict:
        """Return this verdict, not passed for the reason ``objection``; the outcome stands."""
        reason = f"{self.reason}; {objection}" if self.reason else objection
        return replace(self, passed=False, reason=reason)

    def as_dict(self) -> dict[str, Any]:
        """Return builtins only, as verdict.json and the xdist wire carry them."""
        fields = asdict(self)
        interval = fields.pop("interval")
        fields["ci"] = None if interval is None else list(interval)
        fields["seeds"] = {"ours": fields.pop("seeds_ours"), "theirs": fields.pop("seeds_theirs")}
        fields["variance"] = fields["variance"] or {}
        fields["se"] = math.sqrt(self.variance.total) if self.variance else None
        return {"sentence": self.sentence} | fields


def judge(
    ours: Score,
    theirs: Score,
    *,
    margin: float = 0.0,
    policy: Policy = "beats",
    model: str = "ours",
    baseline: str = "theirs",
    dataset: str = "",
    paired: bool = True,
    exchangeable: bool = False,
) -> Verdict:
    """Return the verdict on ``ours`` against ``theirs``.

    Parameters
    ----------
    ours, theirs
        Scores of the same metric and recipe on the same cells, or not ``paired``, of the same population.
    margin
        ``beats`` wants the interval above it; ``noninferior`` wants the interval above its negative.
    policy
        ``"beats"`` passes only that outcome, ``"noninferior"`` a lower end above -margin, ``"point"`` a bare
        difference above the margin.
    model, baseline, dataset
        Names for the sentence.
    paired
        False adds the variances of both, for scores on other cells; weaker.
    exchangeable
        Whether ours, if it is worth nothing, is one more draw of theirs, as a model that learnt nothing is among its
        untrained twins: then the spread of one draw joins the variance of their mean, s**2 (1 + 1/S).

    Raises
    ------
    ValueError
        If the scores are of different metrics, recipes, or, paired, cells or units, or the policy is unknown.
    """
    if policy not in POLICIES:
        msg = f"unknown policy {policy!r} (known: {', '.join(POLICIES)})"
        raise ValueError(msg)
    pair: Pair | Unpaired = Pair.of(ours, theirs, exchangeable=exchangeable) if paired else Unpaired.of(ours, theirs)
    undecided = pair.objection
    noninferior = policy == "noninferior"
    found = Inference() if undecided else pair.infer(-margin if noninferior else margin)
    outcome = _outcome(found.interval, 0.0 if noninferior else margin)
    return Verdict(
        metric=ours.metric,
        ours=ours.value,
        theirs=theirs.value,
        difference=pair.difference,
        interval=found.interval,
        outcome=outcome,
        passed=_passes(policy, outcome, pair.difference, found.interval, margin),
        policy=policy,
        margin=margin,
        reason=undecided,
        unit=ours.unit,
        n_units=len(ours.units),
        n_effective=ours.n_effective,
        balanced=pair.balanced,
        seeds_ours=len(ours.draws),
        seeds_theirs=len(theirs.draws),
        variance=found.variance,
        p=found.p,
        detectable=found.detectable,
        df=found.df,
        model=model,
        baseline=baseline,
        dataset=dataset,
        paired=paired,
    )


def _outcome(interval: tuple[float, float] | None, margin: float) -> Outcome:
    if interval is None:
        return "inconclusive"
    low, high = interval
    return "beats" if low > margin else "loses" if high < 0 else "inconclusive"


def _passes(
    policy: Policy, outcome: Outcome, difference: float, interval: tuple[float, float] | None, margin: float
) -> bool:
    if policy == "point":
        return math.isfinite(difference) and difference > margin
    if policy == "noninferior":
        return interval is not None and interval[0] > -margin
    return outcome == "beats"

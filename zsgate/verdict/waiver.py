"""Waiver: a test that may fail for a while: by whom, why, how far and until when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from zsgate.report.record import VerdictRecord, WaiverRecord, WaiverTerms
from zsgate.verdict.match import matches

NEEDLESS = "no longer needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One ``[[tool.zsgate.waiver]]``.

    Attributes
    ----------
    match
        The tests it is for; see :func:`zsgate.verdict.match.matches`.
    reason, owner
        Why, and who answers for it.
    expires
        Last day on which it holds.
    max_deficit
        How far the candidate may be behind the baseline, in units of the metric.
    model
        The candidate it is for, as ``--model`` names it; empty is for any.
    """

    match: str
    reason: str
    owner: str
    expires: date
    max_deficit: float
    model: str = ""

    def objection(self, difference: float, today: date) -> str:
        """Return why this waiver does not cover a test with that difference, or an empty string.

        Parameters
        ----------
        difference
            Ours minus theirs, positive where ours is better; NaN is never covered.
        today
            The day of the run.
        """
        if today > self.expires:
            return f"the waiver {self.match!r} of {self.owner} expired on {self.expires}"
        if not -difference <= self.max_deficit:
            return f"behind by {-difference:.3f}, more than the {self.max_deficit:g} that {self.owner} waived"
        return ""

    @property
    def terms(self) -> WaiverTerms:
        """What it says, as the record of a run has it."""
        return WaiverTerms(
            match=self.match,
            reason=self.reason,
            owner=self.owner,
            expires=self.expires.isoformat(),
            max_deficit=self.max_deficit,
        )


def review(
    waivers: Sequence[Waiver],
    verdicts: Sequence[VerdictRecord],
    today: date,
    *,
    whole: bool,
    datasets: Collection[str] = (),
) -> tuple[WaiverRecord, ...]:
    """Return each waiver with what became of it.

    ``state`` is ``"expired"`` after its last day; ``"exceeded"`` where a test that it names is further behind than it
    allows; ``"does not apply: REASON"`` where one fails for a reason that no waiver covers; ``"in force"`` where it
    covers one; ``"no longer needed"`` where all of them pass; ``"not tested"`` where none was judged. A run of some of
    the tests, or of some of the datasets that the waiver can be for, cannot say that the waiver is needed nowhere; it
    is then ``"not needed by this run"``.

    Parameters
    ----------
    waivers
        Those of pyproject.toml.
    verdicts
        Of the run.
    today
        The day of the run.
    whole
        Whether every test was run: none was left out by ``-k`` and the like.
    datasets
        Names of what the project judges on, in this run or another.
    """
    absent = set(datasets) - {verdict.dataset for verdict in verdicts} if whole else None
    return tuple(_review(waiver, verdicts, today, absent) for waiver in waivers)


def _review(
    waiver: Waiver, verdicts: Sequence[VerdictRecord], today: date, absent: Collection[str] | None
) -> WaiverRecord:
    """Return what became of a waiver, and how many tests it excuses."""
    terms = waiver.terms
    named = [
        verdict
        for verdict in verdicts
        if not verdict.advisory and matches(waiver.match, verdict.dataset, verdict.baseline, verdict.metric)
    ]
    waived = [verdict for verdict in named if verdict.waiver == terms]
    failing = [verdict for verdict in named if not verdict.passed and verdict.waiver is None]
    tests = {(verdict.baseline, verdict.metric) for verdict in named}
    elsewhere = absent is None or any(matches(waiver.match, each, *test) for each in absent for test in tests)
    if today > waiver.expires:
        state = "expired"
    elif failing:
        state = _why_not(waiver, failing)
    elif waived:
        state = "in force"
    elif not named:
        state = "not tested"
    else:
        state = "not needed by this run" if elsewhere else NEEDLESS
    return WaiverRecord(
        match=terms.match,
        reason=terms.reason,
        owner=terms.owner,
        expires=terms.expires,
        max_deficit=terms.max_deficit,
        state=state,
        tests=len(waived),
    )


def _why_not(waiver: Waiver, failing: Sequence[VerdictRecord]) -> str:
    """Return in words why tests fail in spite of a waiver that has not expired."""
    differences = [verdict.difference for verdict in failing]
    if any(difference is None or not -difference <= waiver.max_deficit for difference in differences):
        return "exceeded"
    return f"does not apply: {failing[0].reason}"

"""What a test decided: the verdict, the parts of its variance, and which verdicts count."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from zsgate.report.record.dataset import PretrainingRecord
from zsgate.report.record.entry import Count, Entry, Policy, Share
from zsgate.report.record.waiver import WaiverTerms


class Outcome(enum.StrEnum):
    """What the interval of a difference says; whether the test passes is another matter."""

    BEATS = "beats"
    LOSES = "loses"
    INCONCLUSIVE = "inconclusive"


class SeedsRecord(Entry, frozen=True, kw_only=True):
    """Number of draws that each side is the mean of.

    Attributes
    ----------
    ours
        Draws of the model; 1 if it draws nothing.
    theirs
        Draws of the baseline; 1 if it draws nothing.
    """

    ours: Count = 1
    theirs: Count = 1


class VarianceRecord(Entry, frozen=True, kw_only=True):
    """Parts of a difference's variance, in squared units of the metric; all null without an interval.

    Sample plus seeds and theirs is the squared standard error.

    Attributes
    ----------
    sample
        That of a new sample of units: halves, but no less than jackknife * 6 / n_effective; jackknife where halves is
        null.
    jackknife
        Leave one unit out.
    halves
        Halves of the units, everything computed anew.
    seeds
        Both means over seeds; against untrained twins one more draw as well.
    theirs
        Not null where the scores are not paired: all of the other score's variance, which adds; the rest is then ours.
    """

    sample: float | None = None
    jackknife: float | None = None
    seeds: float | None = None
    halves: float | None = None
    theirs: float | None = None


class VerdictRecord(Entry, frozen=True, kw_only=True):
    """What one test decided.

    Attributes
    ----------
    nodeid
        Id of the test.
    claim
        What its suite claims, one sentence.
    suite
        Name of the suite's module.
    model
        The candidate.
    dataset
        Whose cells were scored.
    metric
        By what.
    baseline
        What the candidate must beat.
    ours
        The candidate's score, the mean over its seeds.
    theirs
        The baseline's score, the mean over its seeds.
    difference
        Positive favours the model, whatever the metric.
    ci
        Lower and upper end of the difference's interval; null where there is none.
    level
        Confidence of the interval.
    outcome
        What the interval says.
    passed
        Whether the test passes under its policy.
    advisory
        Shown; whether it passed does not decide the run.
    waiver
        The waiver that covers a verdict that did not pass.
    threshold
        What the model's own score had to reach as well.
    policy
        What lets the test pass.
    margin
        The difference that counts as better; noninferior: how much worse is still good enough.
    unit
        What is left out for the interval; cells: the verdict holds for these donors only.
    n_units
        Number of units.
    n_effective
        Number of equally large units that know as much, 1 / sum of squared shares.
    balanced
        The difference if every unit weighed the same.
    seeds
        Number of draws on each side.
    se
        Standard error of the difference.
    variance
        Parts of the squared standard error.
    p
        One-sided: the model is not better by more than the margin; noninferior: worse by it.
    p_holm
        p adjusted (Holm 1979) over all tests of the run against that baseline.
    detectable
        Difference found with 80 % power.
    enough
        Difference that would just pass with an interval as wide as this one.
    df
        Degrees of freedom of the interval's t.
    reason
        Why there is no interval, or why the test does not pass although the outcome suggests it.
    sentence
        The verdict in one sentence.
    paired
        False: the other score is of other cells of the same population.
    pretraining
        Whether the model saw the dataset.
    withdrawn
        Why it passed and does not count: here noise cannot be told from the baseline, say. Empty where it stands.
    by_type
        What the metric says of each cell type, ours and theirs, types in the order of their names.
    """

    nodeid: str
    claim: str = ""
    suite: str = ""
    model: str
    dataset: str
    metric: str
    baseline: str
    ours: float | None
    theirs: float | None
    difference: float | None
    ci: tuple[float | None, float | None] | None = None
    level: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.9
    outcome: Outcome
    passed: bool
    advisory: bool = False
    waiver: WaiverTerms | None = None
    threshold: float | None = None
    policy: Policy = "beats"
    margin: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    unit: Literal["donor", "cells"] = "donor"
    n_units: Count = 0
    n_effective: float | None = None
    balanced: float | None = None
    seeds: SeedsRecord = SeedsRecord()
    se: float | None = None
    variance: VarianceRecord = VarianceRecord()
    p: Share | None = None
    p_holm: Share | None = None
    detectable: float | None = None
    enough: float | None = None
    df: float | None = None
    reason: str = ""
    sentence: str = ""
    paired: bool = True
    pretraining: PretrainingRecord = PretrainingRecord()
    withdrawn: str = ""
    by_type: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def short(self) -> bool:
        """Whether it decides, and its difference is not enough to pass."""
        if self.enough is None or self.difference is None:
            return False
        return not self.advisory and self.difference < self.enough

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of ``ci`` where both are known, else None."""
        if self.ci is None or self.ci[0] is None or self.ci[1] is None:
            return None
        return self.ci[0], self.ci[1]

    @property
    def these_donors_only(self) -> bool:
        """Whether the verdict says nothing of other donors, because cells were left out and not donors."""
        return self.unit == "cells"

    @property
    def is_missed(self) -> bool:
        """Whether it decides the run, did not pass and is not waived."""
        return not self.advisory and not self.passed and self.waiver is None

    @property
    def qualifier(self) -> str:
        """A word where the outcome alone would mislead: advisory, waived, passed, not passed; else empty."""
        if self.advisory:
            return "advisory"
        if self.waiver is not None:
            return "waived"
        if self.passed == (self.outcome is Outcome.BEATS):
            return ""
        return "passed" if self.passed else "not passed"


def deciding(verdicts: Iterable[VerdictRecord]) -> list[VerdictRecord]:
    """Return the verdicts that decide the run."""
    return [verdict for verdict in verdicts if not verdict.advisory]


def missed(verdicts: Iterable[VerdictRecord]) -> list[VerdictRecord]:
    """Return the verdicts that decide the run, did not pass and are not waived."""
    return [verdict for verdict in verdicts if verdict.is_missed]

"""What a waiver says, and what became of it."""

from __future__ import annotations

from zsgate.report.record.entry import Count, Entry


class WaiverTerms(Entry, frozen=True, kw_only=True):
    """What a waiver in pyproject.toml says.

    Attributes
    ----------
    match
        The tests it is for.
    reason
        Why they may fail.
    owner
        Who answers for it.
    expires
        Last day on which it holds, as YYYY-MM-DD.
    max_deficit
        How far the model may be behind, in units of the metric.
    """

    match: str
    reason: str
    owner: str
    expires: str
    max_deficit: float | None


class WaiverRecord(WaiverTerms, frozen=True, kw_only=True):
    """A waiver with what became of it in this run.

    Attributes
    ----------
    state
        What became of it in this run, in words.
    tests
        Number of verdicts that it covers.
    """

    state: str = ""
    tests: Count = 0

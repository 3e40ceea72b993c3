"""Severity: which of what went wrong comes first, and what is said of it."""

import math

from zsgate.report.record.evidence import ControlRecord, FailureRecord
from zsgate.report.record.verdict import Outcome, VerdictRecord


def severity(verdict: VerdictRecord) -> tuple[float, float]:
    """Sort key: lost first, then the rest; the most negative difference in standard errors first."""
    difference, se = verdict.difference, verdict.se
    size = -math.inf if difference is None else difference / se if se else math.copysign(1e9, difference)
    return (0.0 if verdict.outcome is Outcome.LOSES else 1.0, size)


def failure_words(failure: FailureRecord) -> str:
    """Return what went wrong in a test that ended without a verdict."""
    return f"{failure.nodeid or failure.what}: {failure.message}"


def control_words(control: ControlRecord) -> str:
    """Return what a control had to do and did."""
    if control.sentence:
        return control.sentence
    against = f" against {control.baseline}" if control.baseline else ""
    return (
        f"control {control.control} by {control.metric}{against} on {control.dataset}: "
        f"expected {control.expected}, got {control.got}"
    )

"""Annotations: workflow commands that GitHub shows beside the code, few and the worst first."""

from zsgate.report.github.markdown import LONGEST
from zsgate.report.github.severity import control_words, failure_words, severity
from zsgate.report.record.evidence import ControlRecord, FailureRecord
from zsgate.report.record.run import Record
from zsgate.report.record.verdict import Outcome, VerdictRecord, missed
from zsgate.report.words import one_line

MOST = 10  # annotations of one level that GitHub shows for a step


def annotations(record: Record) -> list[str]:
    """Return workflow commands, one for each dataset from the worst on: at most 10 errors and 10 warnings.

    A dataset with a lost test, an error or a failed control is an error, one whose tests are only
    inconclusive a warning.
    """
    entries: list[VerdictRecord | FailureRecord | ControlRecord] = [
        *record.verdicts,
        *record.failures,
        *record.controls,
    ]
    found = [_annotation(record, dataset) for dataset in dict.fromkeys(entry.dataset or None for entry in entries)]
    ranked = sorted((entry for entry in found if entry is not None), key=lambda entry: entry[0])
    errors = [line for _, line in ranked if line.startswith("::error")]
    warnings = [line for _, line in ranked if line.startswith("::warning")]
    return errors[:MOST] + warnings[:MOST]


def _annotation(record: Record, dataset: str | None) -> tuple[tuple[float, ...], str] | None:
    """Return (rank, command) of one dataset, or None where everything passed."""
    wrong = [each for each in record.controls if not each.passed and (each.dataset or None) == dataset]
    failures = [each for each in record.failures if (each.dataset or None) == dataset]
    lost = sorted((each for each in missed(record.verdicts) if (each.dataset or None) == dataset), key=severity)
    said = [control_words(control) for control in wrong]
    said += [failure_words(failure) for failure in failures]
    said += [verdict.sentence or verdict.nodeid for verdict in lost]
    if not said:
        return None
    broken = len(wrong) + len(failures)
    decided = sum(verdict.outcome is not Outcome.INCONCLUSIVE for verdict in lost)
    level = "error" if broken or decided else "warning"
    title = f"zsgate: {record.model} on {dataset}" if dataset else f"zsgate: {record.model}"
    more = f" (and {len(said) - 1} more in the report)" if len(said) > 1 else ""
    text = one_line(said[0])[:LONGEST] + more
    worst = severity(lost[0]) if lost else (0.0, 0.0)
    command = f"::{level} title={_property(one_line(title)[:LONGEST])}::{_message(text)}"
    return (-broken, -decided, *worst), command


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")

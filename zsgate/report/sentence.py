"""The sentence why: one sentence that says what a run found, the same on every page."""

from __future__ import annotations

from zsgate.report.record.run import GateState, Record
from zsgate.report.record.verdict import Outcome, VerdictRecord, deciding, missed
from zsgate.report.record.waiver import WaiverRecord
from zsgate.report.words import counted, distinct, joined, number, one_line

_CLAIMS = {
    "beats": ("beats", "does not beat"),
    "noninferior": ("is not inferior to", "is not shown to be as good as"),
    "point": ("scores above", "does not score above"),
}
_MIXED = ("meets the terms set against", "does not meet the terms set against")
_NOT_PASSED = ("lost", "inconclusive", "ahead but short of a condition", "waived")
NOTHING = 5  # exit code of a run that selected nothing
_NO_CLAIM = "No test that decides was run, so nothing is claimed about {}."


def headline(record: Record) -> str:
    """Return the one sentence that says how a run stands and why."""
    ways = {
        GateState.PASSED: _passed,
        GateState.WAIVED: _waived,
        GateState.INTERRUPTED: _interrupted,
        GateState.INCOMPLETE: _incomplete,
        GateState.BROKE: _broke,
        GateState.UNUSABLE: _unusable,
        GateState.RUNNING: _running,
    }
    said = ways.get(record.gate, _failed)(record, record.model or "the model")
    judged = record.gate in (GateState.WAIVED, GateState.LOST, GateState.INCONCLUSIVE)
    return one_line(f"{said} {_left_out(record)}" if judged else said)


def waived(waiver: WaiverRecord) -> str:
    """Return what became of a waiver, in one line."""
    tests = f" ({counted(waiver.tests, 'test')})" if waiver.tests else ""
    limit = f"at most {number(waiver.max_deficit)} behind, until {waiver.expires}"
    return f"waiver {waiver.match}: {waiver.state}{tests}; {waiver.owner}: {waiver.reason}; {limit}"


def tally(record: Record) -> dict[str, int]:
    """Return how many tests passed, lost, stayed inconclusive, led without passing, are waived, or had no verdict.

    Advisory tests are not counted.
    """
    counts = dict.fromkeys(("passed", *_NOT_PASSED, "error"), 0)
    for verdict in deciding(record.verdicts):
        counts[_became(verdict)] += 1
    counts["error"] = sum(failure.what != "control" for failure in record.failures)
    return counts


def _became(verdict: VerdictRecord) -> str:
    if verdict.passed:
        return "passed"
    if verdict.waiver:
        return "waived"
    words = {Outcome.LOSES: "lost", Outcome.INCONCLUSIVE: "inconclusive"}
    return words.get(verdict.outcome, "ahead but short of a condition")


def _passed(record: Record, model: str) -> str:
    verdicts = deciding(record.verdicts)
    if not verdicts:
        return _NO_CLAIM.format(model)
    n, against = len(verdicts), joined(distinct(verdict.baseline for verdict in verdicts))
    if record.selection.n_left_out:
        selected = f"the {n} of {counted(record.selection.n_due, 'test')} that {'was' if n == 1 else 'were'} selected"
        return f"{model} passed {selected}, against {against}{_where(record)}. {_left_out(record)}"
    tests = "both tests" if n == 2 else "the one test" if n == 1 else f"all {n} tests"
    return f"{model} {_verbs(verdicts)[0]} {against}: {tests} passed{_where(record)}."


def _waived(record: Record, model: str) -> str:
    verdicts = deciding(record.verdicts)
    if not verdicts:
        return _NO_CLAIM.format(model)
    excused = distinct(verdict.baseline for verdict in verdicts if verdict.waiver)
    beaten = [name for name in distinct(verdict.baseline for verdict in verdicts) if name not in excused]
    against = f"{_verbs(verdicts)[0]} {joined(beaten)} and " if beaten else ""
    return f"{model} {against}is waived against {joined(excused)}: {_counts(record)}."


def _left_out(record: Record) -> str:
    """Return what was not run of the tests that make sense, as a sentence; empty where all were."""
    selection = record.selection
    if not selection.n_left_out:
        return ""
    verb = "was" if selection.n_left_out == 1 else "were"
    by = f" ({joined(selection.left_out_by)})" if selection.left_out_by else ""
    return f"{selection.n_left_out} of {counted(selection.n_due, 'test')} {verb} not run{by}."


def _failed(record: Record, model: str) -> str:
    undefeated = distinct(verdict.baseline for verdict in missed(record.verdicts))
    counts = tally(record)
    if not undefeated and counts["error"]:
        return f"{model} gave no usable output in {counted(counts['error'], 'test')}: {_counts(record)}."
    needless = [waiver.match for waiver in record.waivers if waiver.state == "no longer needed"]
    if not undefeated and needless:
        return f"{model} no longer needs {counted(len(needless), 'waiver')} ({joined(needless)}): {_counts(record)}."
    if not undefeated:
        return _NO_CLAIM.format(model)
    if not counts["lost"] and not counts["ahead but short of a condition"] and not counts["error"]:
        return f"{model} cannot be told apart from {joined(undefeated)}: {_counts(record)}."
    verb = _verbs(deciding(record.verdicts))[1]
    return f"{model} {verb} {joined(undefeated)}: {_counts(record)}."


def _verbs(verdicts: list[VerdictRecord]) -> tuple[str, str]:
    """Return what a pass and a miss mean: tests may have policies of their own."""
    policies = {verdict.policy for verdict in verdicts}
    return _CLAIMS[policies.pop()] if len(policies) == 1 else _MIXED


def _interrupted(record: Record, model: str) -> str:
    return f"The run was interrupted, so nothing is claimed about {model}{_so_far(record)}."


def _incomplete(record: Record, model: str) -> str:
    reason = record.provenance.exit_reason.rstrip(".")
    return f"The run is incomplete, so nothing is claimed about {model}{_so_far(record)}; {reason}."


def _running(record: Record, model: str) -> str:
    return f"The run was started and has not finished, so nothing is claimed about {model}{_so_far(record)}."


def _so_far(record: Record) -> str:
    return f": {_counts(record)}" if deciding(record.verdicts) else ""


def _unusable(record: Record, model: str) -> str:
    reason = record.provenance.exit_reason or "no reason was given"
    what = "No test that decides was run" if record.provenance.exit_code == NOTHING else "The run could not start"
    return f"{what}, so nothing is claimed about {model}: {reason.rstrip('.')}."


def _broke(record: Record, model: str) -> str:
    causes = []
    wrong = [control for control in record.controls if not control.passed and not control.advisory]
    if wrong:
        names = joined(distinct(control.control for control in wrong))
        causes.append(f"{counted(len(wrong), 'control')} failed ({names})")
    for what, noun in (("baseline", "baseline error"), ("control", "control error"), ("gate", "internal error")):
        n = sum(failure.what == what for failure in record.failures)
        if n:
            causes.append(counted(n, noun))
    reason = record.provenance.exit_reason or "results are missing"
    judged = f"; {_counts(record)}" if deciding(record.verdicts) else ""
    return f"The gate broke, so nothing is claimed about {model}: {joined(causes) or reason}{judged}."


def _counts(record: Record) -> str:
    counts = tally(record)
    total = sum(counts.values())
    parts = [f"{counts['passed']} of {counted(total, 'test')} passed"]
    parts += [f"{counts[word]} {word}" for word in _NOT_PASSED if counts[word]]
    if counts["error"]:
        parts.append(counted(counts["error"], "error"))
    return ", ".join(parts) + _where(record)


def _where(record: Record) -> str:
    judged = [verdict.dataset for verdict in deciding(record.verdicts)]
    datasets = distinct([*judged, *(failure.dataset for failure in record.failures)])
    if len(datasets) > 3:
        return f" on {len(datasets)} datasets"
    return f" on {joined(datasets)}" if datasets else ""

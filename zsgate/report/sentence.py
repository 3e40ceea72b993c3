"""The sentence why: one sentence that says what a run found, the same on every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zsgate.report.record import Record, complete, deciding, distinct, missed
from zsgate.report.words import counted, joined, number, one_line

_CLAIMS = {
    "beats": ("beats", "does not beat"),
    "noninferior": ("is not inferior to", "is not shown to be as good as"),
    "point": ("scores above", "does not score above"),
}
_MIXED = ("meets the terms set against", "does not meet the terms set against")


_NOT_PASSED = ("lost", "inconclusive", "ahead but not passed", "waived")


def headline(record: Mapping[str, Any]) -> str:
    """Return the one sentence why the gate passed, was lost, stayed inconclusive, was interrupted or broke."""
    whole = complete(record)
    model = whole["model"] or "the model"
    whole["verdicts"] = deciding(whole["verdicts"])
    states = {"passed": _passed, "interrupted": _interrupted, "broke": _broke}
    sentence = states.get(whole["gate"], _failed)(whole, model)
    return one_line(sentence)


def waived(waiver: Record) -> str:
    """Return what became of a waiver, in one line."""
    tests = f" ({counted(waiver['tests'], 'test')})" if waiver["tests"] else ""
    limit = f"at most {number(waiver['max_deficit'])} behind, until {waiver['expires']}"
    return f"waiver {waiver['match']}: {waiver['state']}{tests}; {waiver['owner']}: {waiver['reason']}; {limit}"


def tally(record: Record) -> dict[str, int]:
    """Return how many tests passed, lost, stayed inconclusive, led without passing, are waived, or had no verdict.

    Advisory tests are not counted.
    """
    counts = dict.fromkeys(("passed", "lost", "inconclusive", "ahead but not passed", "waived", "error"), 0)
    words = {"loses": "lost", "inconclusive": "inconclusive"}
    for verdict in deciding(record["verdicts"]):
        became = "waived" if verdict["waiver"] else words.get(verdict["outcome"], "ahead but not passed")
        counts["passed" if verdict["passed"] else became] += 1
    counts["error"] = sum(failure["what"] != "control" for failure in record["failures"])
    return counts


def _passed(record: Record, model: str) -> str:
    if not record["verdicts"]:
        return f"No test that decides was run, so nothing is claimed about {model}."
    verb = _verbs(record)[0]
    if any(verdict["waiver"] for verdict in record["verdicts"]):
        excused = distinct([verdict for verdict in record["verdicts"] if verdict["waiver"]], "baseline")
        beaten = [name for name in distinct(record["verdicts"], "baseline") if name not in excused]
        against = f"{verb} {joined(beaten)} and " if beaten else ""
        return f"{model} {against}is waived against {joined(excused)}: {_counts(record)}."
    n = len(record["verdicts"])
    tests = "both tests" if n == 2 else "the one test" if n == 1 else f"all {n} tests"
    return f"{model} {verb} {joined(distinct(record['verdicts'], 'baseline'))}: {tests} passed{_where(record)}."


def _failed(record: Record, model: str) -> str:
    undefeated = distinct(missed(record["verdicts"]), "baseline")
    counts = tally(record)
    if not undefeated and counts["error"]:
        return f"{model} gave no usable output in {counted(counts['error'], 'test')}: {_counts(record)}."
    needless = [waiver["match"] for waiver in record["waivers"] if waiver["state"] == "no longer needed"]
    if not undefeated and needless:
        return f"{model} no longer needs {counted(len(needless), 'waiver')} ({joined(needless)}): {_counts(record)}."
    if not undefeated:
        return f"No test that decides was run, so nothing is claimed about {model}."
    if not counts["lost"] and not counts["ahead but not passed"] and not counts["error"]:
        return f"{model} cannot be told apart from {joined(undefeated)}: {_counts(record)}."
    verb = _verbs(record)[1]
    return f"{model} {verb} {joined(undefeated)}: {_counts(record)}."


def _verbs(record: Record) -> tuple[str, str]:
    """Return what a pass and a miss mean: tests may have policies of their own."""
    policies = distinct(record["verdicts"], "policy")
    return _CLAIMS.get(policies[0], _CLAIMS["beats"]) if len(policies) == 1 else _MIXED


def _interrupted(record: Record, model: str) -> str:
    judged = f": {_counts(record)}" if record["verdicts"] else ""
    return f"The run was interrupted, so nothing is claimed about {model}{judged}."


def _broke(record: Record, model: str) -> str:
    causes = []
    wrong = [control for control in record["controls"] if not control["passed"]]
    if wrong:
        causes.append(f"{counted(len(wrong), 'control')} failed ({joined(distinct(wrong, 'control'))})")
    for what, noun in (
        ("baseline", "baseline error"),
        ("control", "control error"),
        ("gate", "internal error"),
    ):
        n = sum(failure["what"] == what for failure in record["failures"])
        if n:
            causes.append(f"{counted(n, noun)}")
    reason = record["provenance"].get("exit_reason") or "results are missing"
    judged = f"; {_counts(record)}" if record["verdicts"] else ""
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
    datasets = distinct([*record["verdicts"], *record["failures"]], "dataset")
    if len(datasets) > 3:
        return f" on {len(datasets)} datasets"
    return f" on {joined(datasets)}" if datasets else ""

"""Blind spots: datasets on which noise cannot be told from a baseline, so that beating it there says nothing.

A control that wins where it must lose, or an oracle that does not win, breaks the gate. Noise that is merely not shown
to lose, while the oracle wins, is a property of the dataset: too few cells or donors, or a baseline without signal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DEAD = {"noise": "pure noise", "shuffled": "its own rows in random order"}
WORDS = "too few cells or donors, or a baseline without signal"


def spots(controls: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], str]:
    """Return what cannot be told from a dead model, by (dataset, baseline, metric), each with a sentence.

    Parameters
    ----------
    controls
        As verdict.json holds them. A dataset counts only where every oracle did what it must, and at least one ran.
    """
    known = list(controls)
    oracles: dict[str, bool] = {}
    for each in known:
        if each["control"] == "oracle":
            oracles[each["dataset"]] = oracles.get(each["dataset"], True) and each["passed"]
    found = {}
    for each in known:
        if _is_merely_unsure(each) and oracles.get(each["dataset"]):
            dataset, baseline, metric = spot_of(each)
            found[dataset, baseline, metric] = (
                f"on {dataset} {baseline} cannot be told from {DEAD[each['control']]} by {metric} ({WORDS}), so to "
                "beat it there does not count"
            )
    return found


def marked(control: Mapping[str, Any], known: Mapping[tuple[str, str, str], str]) -> dict[str, Any]:
    """Return a control as it stands in view of the blind spots: one that makes a spot does not break the gate."""
    excused = spot_of(control) in known and _is_merely_unsure(control)
    return {**control, "too_little": excused, "passed": control["passed"] or excused}


def _is_merely_unsure(control: Mapping[str, Any]) -> bool:
    return control["control"] in DEAD and (control["expected"], control["got"]) == ("loses", "inconclusive")


def spot_of(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return dataset, baseline and metric of a verdict or control."""
    return entry["dataset"], entry["baseline"], entry["metric"]


def uncounted(verdict: Mapping[str, Any], known: Mapping[tuple[str, str, str], str]) -> dict[str, Any]:
    """Return a verdict as it stands in view of the blind spots: one that passed in one of them is inconclusive."""
    said = known.get(spot_of(verdict))
    if said is None or not verdict["passed"]:
        return dict(verdict)
    reason = "; ".join(filter(None, (verdict["reason"], said)))
    changed = {"passed": False, "outcome": "inconclusive", "reason": reason}
    return {**verdict, **changed, "sentence": f"{verdict['sentence']}; {said}"}

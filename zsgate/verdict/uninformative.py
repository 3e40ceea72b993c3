"""Blind spots: datasets on which noise cannot be told from a baseline, so that beating it there says nothing.

A control that wins where it must lose, or an oracle that does not win, breaks the gate. Noise that is merely not shown
to lose, while the oracle wins, is a property of the dataset: too few cells or donors, or a baseline without signal. So
is an oracle that is not shown to beat a baseline as good as the labels themselves: there is nothing left to beat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DEAD = {"noise": "pure noise", "shuffled": "its own rows in random order"}
WORDS = "too few cells or donors, or a baseline without signal"
NO_ROOM = "no room"  # what became of an oracle where the baseline reaches
CEILING = 0.9  # of 1, the most that the metrics of oracles can be
UNSURE = {("loses", "inconclusive"), ("beats", NO_ROOM)}  # what a control must do and did, and no gate is broken


def spots(controls: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], str]:
    """Return what cannot be told from a dead model, by (dataset, baseline, metric), each with a sentence.

    Parameters
    ----------
    controls
        As verdict.json holds them. Noise counts only where no oracle failed on the dataset, and one won.
    """
    known = list(controls)
    oracles = [each for each in known if each["control"] == "oracle"]
    won = {each["dataset"] for each in oracles if each["passed"]}
    failed = {each["dataset"] for each in oracles if not each["passed"] and not _is_merely_unsure(each)}
    found = {}
    for each in known:
        dataset, baseline, metric = spot = spot_of(each)
        if not _is_merely_unsure(each) or dataset in failed:
            continue
        if each["control"] == "oracle":
            found[spot] = (
                f"on {dataset} {baseline} is as good by {metric} as the labels themselves, so nothing can beat it there"
            )
        elif dataset in won:
            found[spot] = (
                f"on {dataset} {baseline} cannot be told from {DEAD[each['control']]} by {metric} ({WORDS}), so to "
                "beat it there does not count"
            )
    return found


def marked(control: Mapping[str, Any], known: Mapping[tuple[str, str, str], str]) -> dict[str, Any]:
    """Return a control as it stands in view of the blind spots: one that makes a spot does not break the gate."""
    excused = spot_of(control) in known and _is_merely_unsure(control)
    return {**control, "too_little": excused, "passed": control["passed"] or excused}


def _is_merely_unsure(control: Mapping[str, Any]) -> bool:
    return control["control"] in (*DEAD, "oracle") and (control["expected"], control["got"]) in UNSURE


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

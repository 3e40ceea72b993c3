"""What a verdict.json lets anybody claim, told without zsgate."""

from __future__ import annotations

from typing import Any


def may_pass(document: Any) -> bool:
    """Return whether all that is written lets a gate say that it passed."""
    try:
        verdicts = [each for each in document["verdicts"] if not each.get("advisory", False)]
        said = document["gate"] in ("passed", "waived") and document["provenance"]["exit_code"] in (0, 1)
        held = all(each["passed"] or each.get("waiver") for each in verdicts)
        coherent = all(map(_is_coherent, document["verdicts"]))
        controls = all(each["passed"] or each.get("advisory") for each in document.get("controls", []))
        distinct = len({each["nodeid"] for each in document["verdicts"]}) == len(document["verdicts"])
        return bool(verdicts and said and held and coherent and controls and distinct and not document.get("failures"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
        return False


def _is_coherent(verdict: Any) -> bool:
    ours, theirs, apart, ends = (verdict.get(name) for name in ("ours", "theirs", "difference", "ci"))
    if None not in (ours, theirs, apart) and abs(abs(ours - theirs) - abs(apart)) > 1e-6:
        return False
    if ends and None not in ends and not ends[0] - 1e-6 <= apart <= ends[1] + 1e-6:
        return False
    policy, margin = verdict.get("policy", "beats"), verdict.get("margin", 0)
    if not verdict["passed"]:
        return True
    if policy == "beats" and ends and None not in ends and ends[0] <= margin:
        return False
    return bool(policy != "beats" or verdict["outcome"] == "beats")

"""Badge: the JSON that shields.io draws a badge from, green only where the gate passed."""

from __future__ import annotations

import json
from collections.abc import Iterable

from zsgate.report.record import GateState, Record, deciding, missed
from zsgate.report.words import distinct, one_line

LABEL = "zero-shot"
LONGEST = 60  # characters of a message
NAMED = 3  # baselines that a message names
_NOTHING_CLAIMED = {
    GateState.BROKE: "broken",
    GateState.INTERRUPTED: "interrupted",
    GateState.INCOMPLETE: "incomplete",
    GateState.RUNNING: "running",
}


def badge(record: Record) -> str:
    """Return the JSON of a run's badge, as https://shields.io/badges/endpoint-badge defines it."""
    message, colour = _said(record)
    return _endpoint(message, colour, is_error=record.gate in (GateState.BROKE, GateState.UNUSABLE))


def unread() -> str:
    """Return the JSON of the badge of a record that cannot be read, so that no older badge stays."""
    return _endpoint("unknown", "lightgrey", is_error=True)


def _endpoint(message: str, colour: str, *, is_error: bool) -> str:
    text = message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"
    fields = {"schemaVersion": 1, "label": LABEL, "message": text, "color": colour, "isError": is_error}
    return json.dumps(fields, ensure_ascii=False, indent=1) + "\n"


def _said(record: Record) -> tuple[str, str]:
    """Return message and colour."""
    verdicts = deciding(record.verdicts)
    if record.gate is GateState.PASSED and verdicts:
        return _passed(record)
    if record.gate is GateState.WAIVED:
        return f"waived against {_names(v.baseline for v in verdicts if v.waiver)}", "yellow"
    if record.gate is GateState.INCONCLUSIVE:
        return "inconclusive", "yellow"
    if record.gate is GateState.LOST:
        against = _names(verdict.baseline for verdict in missed(verdicts))
        return f"lost to {against}" if against else "failed", "red"
    return _NOTHING_CLAIMED.get(record.gate, "no verdict"), "lightgrey"


def _passed(record: Record) -> tuple[str, str]:
    """Return what is said of a gate that passed; of some of its tests only, that it were some."""
    chosen = record.selection
    if chosen.n_left_out:
        return f"passed {chosen.n_selected} of {chosen.n_due} tests", "yellow"
    if record.provenance.exit_code != 0:
        return "passed, other tests failed", "yellow"
    n = len(distinct(verdict.dataset for verdict in deciding(record.verdicts)))
    return f"passed {n}/{len({entry.name for entry in record.datasets}) or n}", "brightgreen"


def _names(baselines: Iterable[str]) -> str:
    names = distinct(map(one_line, baselines))
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")

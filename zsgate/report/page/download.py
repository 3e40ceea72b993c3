"""Download: the verdicts of a run as a table that spreadsheets and pandas read, held in the page itself."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence

from zsgate.report.record.verdict import VerdictRecord

COLUMNS = (
    "dataset", "metric", "baseline", "outcome", "passed", "advisory", "waived", "ours", "theirs", "difference", "low",
    "high", "level", "balanced", "unit", "n_units", "p", "p_holm", "detectable", "enough", "policy", "margin", "reason",
    "sentence", "nodeid",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes a cell for that begins so


def table(verdicts: Sequence[VerdictRecord]) -> str:
    """Return the verdicts as comma-separated values, one line each under the names of :data:`COLUMNS`.

    Words that a spreadsheet would take for a formula are led by an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for verdict in verdicts:
        low, high = verdict.ci or (None, None)
        further = {"low": low, "high": high, "waived": verdict.waiver is not None}
        writer.writerow(_cell(further[name] if name in further else getattr(verdict, name)) for name in COLUMNS)
    return text.getvalue()


def link(verdicts: Sequence[VerdictRecord]) -> str:
    """Return an address that holds the table, for a link that saves it."""
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(table(verdicts).encode()).decode()}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    words = str(value)
    return f"'{words}" if isinstance(value, str) and words.startswith(_FORMULA) else words

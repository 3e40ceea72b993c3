"""Settled: what takes all results of a run, or of its shards: adjusted p-values, and the order of scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from zsgate.report.record import ScoreRecord, VerdictRecord
from zsgate.verdict import holm


def adjusted(verdicts: Sequence[VerdictRecord]) -> list[VerdictRecord]:
    """Return verdicts with p-values that are adjusted over the tests against each baseline."""
    found = holm.adjusted([verdict.p for verdict in verdicts], [verdict.baseline for verdict in verdicts])
    return [replace(verdict, p_holm=p) for verdict, p in zip(verdicts, found, strict=True)]


def in_order(
    scores: dict[tuple[str, str], ScoreRecord], verdicts: Iterable[VerdictRecord]
) -> dict[tuple[str, str], ScoreRecord]:
    """Return scores in the order in which they were judged, then those that are no verdict's, such as floors."""
    judged = dict.fromkeys((each.dataset, each.metric) for each in verdicts)
    return {key: scores[key] for key in (*judged, *sorted(scores.keys() - judged.keys())) if key in scores}

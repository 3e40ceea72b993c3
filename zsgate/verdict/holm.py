"""Holm's step-down adjustment of the p-values of one baseline's tests."""

from __future__ import annotations

from collections.abc import Sequence

from zsgate.report.record import Record


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm-adjusted p-values, in the order given (Holm 1979, Scand. J. Stat. 6:65-70).

    A test without a p-value keeps none but counts in the number of tests, as if its p were 1.
    """
    order = sorted((p, position) for position, p in enumerate(p_values) if p is not None)
    result: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, position) in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        result[position] = largest
    return result


def with_adjusted(record: Record) -> Record:
    """Return ``record`` with the adjusted p of each verdict in its ``p_holm``."""
    adjusted_p = by_baseline(record["verdicts"])
    verdicts = [{**verdict, "p_holm": p} for verdict, p in zip(record["verdicts"], adjusted_p, strict=True)]
    return {**record, "verdicts": verdicts}


def by_baseline(verdicts: Sequence[Record]) -> list[float | None]:
    """Return the adjusted p of each verdict, adjusted over all tests against its baseline."""
    result: list[float | None] = [None] * len(verdicts)
    for baseline in {verdict["baseline"] for verdict in verdicts}:
        positions = [i for i, verdict in enumerate(verdicts) if verdict["baseline"] == baseline]
        for i, p in zip(positions, adjusted([verdicts[i]["p"] for i in positions]), strict=True):
            result[i] = p
    return result

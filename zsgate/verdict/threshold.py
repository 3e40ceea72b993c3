"""Threshold: what single tests must reach, where it is not what the run's policy and margin say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from zsgate.errors import UsageProblem, unknown
from zsgate.verdict.match import check_keys, matches, number
from zsgate.verdict.verdict import POLICIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One ``[[tool.zsgate.threshold]]``; None leaves what the run says.

    Attributes
    ----------
    match
        The tests it is for; see :func:`zsgate.verdict.match.matches`.
    policy, margin
        In the place of the run's.
    threshold
        What our own value must reach as well, whatever the baseline has.
    """

    match: str
    policy: str | None = None
    margin: float | None = None
    threshold: float | None = None

    @classmethod
    def of(cls, table: Any) -> Self:
        """Return the threshold that a table of pyproject.toml states.

        Raises
        ------
        UsageProblem
            If a key is missing or unknown, a value is out of range, or it says nothing.
        """
        table = check_keys(table, required=("match",), optional=("policy", "margin", "threshold"))
        if (policy := table.get("policy")) is not None and policy not in POLICIES:
            raise UsageProblem(unknown("policy", policy, POLICIES))
        if len(table) == 1:
            msg = f"{table['match']!r} sets nothing; give policy, margin or threshold"
            raise UsageProblem(msg)
        margin = number(table, "margin", 0, math.nextafter(1, 0))
        return cls(match=table["match"], policy=policy, margin=margin, threshold=number(table, "threshold", -1e9, 1e9))


def terms(thresholds: Sequence[Threshold], policy: str, margin: float, *test: str) -> Threshold:
    """Return what one test must reach: the run's policy and margin, then each matching threshold over the last.

    Parameters
    ----------
    thresholds
        In the order of pyproject.toml: of two that match, the later one counts, key by key.
    policy, margin
        The run's.
    *test
        Dataset, baseline and metric.
    """
    dataset, baseline, metric = test
    found = Threshold(match="-".join(test), policy=policy, margin=margin)
    for each in thresholds:
        if matches(each.match, dataset, baseline, metric):
            said = {key: getattr(each, key) for key in ("policy", "margin", "threshold")}
            found = replace(found, **{key: value for key, value in said.items() if value is not None})
    return found

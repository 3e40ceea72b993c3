"""Threshold: what single tests must reach, where it is not what the run's policy and margin say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zsgate.verdict.match import matches
from zsgate.verdict.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One ``[[tool.zsgate.threshold]]``; None leaves what the run says.

    Attributes
    ----------
    match
        The tests it is for; see :func:`zsgate.verdict.match.matches`.
    policy, margin
        They replace the run's.
    threshold
        What our own value must reach as well, whatever the baseline has.
    """

    match: str
    policy: str | None = None
    margin: float | None = None
    threshold: float | None = None


def terms_for(test: tuple[str, str, str], thresholds: Sequence[Threshold], usual: Terms) -> Terms:
    """Return what one test must reach: the run's terms, changed by every threshold that matches it.

    Parameters
    ----------
    test
        Dataset, baseline and metric.
    thresholds
        In the order of pyproject.toml: of two that match, the later one counts, key by key.
    usual
        The run's terms.
    """
    terms = usual
    for each in thresholds:
        if matches(each.match, *test):
            terms = replace(
                terms,
                policy=terms.policy if each.policy is None else each.policy,
                margin=terms.margin if each.margin is None else each.margin,
                threshold=terms.threshold if each.threshold is None else each.threshold,
            )
    return terms

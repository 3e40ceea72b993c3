"""Holm: step-down adjustment of p-values for many tests of one claim (Holm 1979, Scand. J. Stat. 6:65-70)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def adjusted(p_values: Sequence[float | None], families: Sequence[Hashable] | None = None) -> list[float | None]:
    """Return Holm-adjusted p-values, in the order given.

    A test without a p-value keeps none, but counts in the number of tests as if its p were 1.

    Parameters
    ----------
    p_values
        One for each test, shape (n_tests,).
    families
        What each test belongs to, such as its baseline, shape (n_tests,): p-values are adjusted over the tests of one
        family. None takes all tests together.

    Raises
    ------
    ValueError
        If there are not as many families as p-values.
    """
    members: dict[Hashable, list[tuple[int, float | None]]] = {}
    for position, (p, family) in enumerate(zip(p_values, families or [None] * len(p_values), strict=True)):
        members.setdefault(family, []).append((position, p))
    result: list[float | None] = [None] * len(p_values)
    for tests in members.values():
        known = sorted((p, position) for position, p in tests if p is not None)
        largest = 0.0
        for rank, (p, position) in enumerate(known):
            largest = max(largest, min(1.0, (len(tests) - rank) * p))
            result[position] = largest
    return result

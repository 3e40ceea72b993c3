"""Pattern: how pyproject.toml names tests: ``dataset-baseline-metric`` as in their ids, with ``*`` and ``?``."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from zsgate.errors import UsageProblem, unknown


def matches(pattern: str, dataset: str, baseline: str, metric: str) -> bool:
    """Return whether ``pattern`` names this test; a shorter pattern names all tests that begin so.

    ``pancreas*-scvi`` is every metric against scVI, ``*-asw`` the metric ``asw`` of every dataset and baseline.
    """
    name = f"{dataset}-{baseline}-{metric}"
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}-*")


def check_keys(table: Any, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """Return ``table`` if it is one with the required keys and no unknown ones.

    Raises
    ------
    UsageProblem
        If it is no table, a required key is missing or empty, or a key is unknown.
    """
    if not isinstance(table, Mapping):
        msg = f"must be tables, not {table!r}"
        raise UsageProblem(msg)
    for key in table:
        if key not in required + optional:
            raise UsageProblem(unknown("key", key, required + optional))
    missing = [key for key in required if table.get(key) in (None, "")]
    if missing:
        where = f" in the one that matches {table['match']!r}" if table.get("match") else ""
        msg = f"{', '.join(missing)} missing{where}; needed are {', '.join(required)}"
        raise UsageProblem(msg)
    for key in ("match", "reason", "owner", "policy", "model"):
        if not isinstance(table.get(key, ""), str):
            msg = f"{key} must be text, not {table[key]!r}"
            raise UsageProblem(msg)
    return table


def number(table: Mapping[str, Any], key: str, low: float, high: float) -> float | None:
    """Return a number of ``table`` in [low, high], or None where the key is absent.

    Raises
    ------
    UsageProblem
        If it is no number or lies outside.
    """
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        msg = f"{key} of {table['match']!r} must be a number from {low:g} to {high:g}, not {value!r}"
        raise UsageProblem(msg)
    return float(value)

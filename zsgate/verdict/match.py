"""Match: how pyproject.toml names tests: ``dataset-baseline-metric`` as in their ids, with ``*`` and ``?``."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(pattern: str, dataset: str, baseline: str, metric: str) -> bool:
    """Return whether ``pattern`` names this test; a shorter pattern names all tests that begin so.

    ``pancreas*-scvi`` is every metric against scVI, ``*-asw`` the metric ``asw`` of every dataset and baseline.
    """
    name = f"{dataset}-{baseline}-{metric}"
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}-*")

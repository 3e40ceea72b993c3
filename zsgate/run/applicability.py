"""Asked: which metrics a run computes, and which of them decide it."""

from __future__ import annotations

from collections.abc import Callable

from zsgate.config.config import Config
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem, unknown
from zsgate.metrics import EVERY, METRICS
from zsgate.run.datasets import CardOrFile, without_batches
from zsgate.system.sources import versions
from zsgate.verdict.recipe import Recipe


def deciding(config: Config, recipe: Recipe) -> frozenset[str]:
    """Return the names of the metrics whose verdicts decide the run; those of all others are advisory.

    Raises
    ------
    UsageProblem
        If ``require`` or ``metrics`` names an unknown metric, or one whose package is not installed.
    """
    for what, names in (("require", config.require), ("metrics", config.metrics)):
        for name in names:
            if name not in EVERY:
                raise UsageProblem(f"{what}: " + unknown("metric", name, tuple(EVERY)))
            package = METRICS[name].package if name in METRICS else ""
            if package and versions(package)[package] == "absent":
                msg = f"{what}: {name} needs the package {package}: pip install 'zsgate[scib]'"
                raise UsageProblem(msg)
    by_nature = (name for name, metric in EVERY.items() if not metric.advisory)
    return frozenset([*by_nature, *recipe.gates, *config.require])


def objection(config: Config, name: str | None, source: CardOrFile | None, read: Callable[[], Dataset]) -> str:
    """Return why a metric of embeddings is not computed, or an empty string.

    Parameters
    ----------
    config
        What the user asked for.
    name
        Name of the metric; an unknown one is none of embeddings.
    source
        Where the dataset comes from; None where none is meant.
    read
        Reads it.
    """
    metric = METRICS.get(name or "")
    if metric is None:
        return ""
    if metric.on_request and metric.name not in config.metrics + config.require:
        return "computed on request only: --metrics or --require"
    if source is None:
        return ""
    if metric.uses_batches and (reason := without_batches(source, read)):
        return reason
    if metric.uses_units and read().units[0] is None:
        return "the dataset has no donors to carry labels between (or their column was not named)"
    return ""

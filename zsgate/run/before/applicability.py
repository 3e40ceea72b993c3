"""Applicability: which tests make sense for a model and a dataset, and which metrics decide a run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zsgate.baselines import ON_REQUEST
from zsgate.baselines.classical import Classical
from zsgate.config.config import Config
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem, unknown
from zsgate.metrics import EVERY
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION
from zsgate.metrics.robustness.metric import ROBUSTNESS, panel_genes
from zsgate.metrics.robustness.perturb import PANEL
from zsgate.models.adapter import Adapter, cannot_hide, predicts_genes
from zsgate.report.record import NotTestedRecord
from zsgate.run.changed import invariances
from zsgate.run.datasets import CardOrFile, without_batches
from zsgate.system.sources import versions
from zsgate.verdict.recipe import DEFAULT, Recipe

NO_HEAD = "the candidate offers no reconstruct(dataset), so whether it predicts genes was not tested"


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
            package = EVERY[name].package
            if package and versions(package)[package] == "absent":
                msg = f"{what}: {name} needs the package {package}: pip install 'zsgate[scib]'"
                raise UsageProblem(msg)
    by_nature = (name for name, metric in EVERY.items() if not metric.advisory and name not in recipe.spares)
    return frozenset([*by_nature, *recipe.gates, *config.require])


def objection(config: Config, name: str | None, source: CardOrFile | None, read: Callable[[], Dataset]) -> str:
    """Return why a metric is not computed in a run or on a dataset, or an empty string.

    Parameters
    ----------
    config
        What the user asked for.
    name
        Name of the metric; nothing is said of an unknown one.
    source
        Where the dataset comes from; None where none is meant.
    read
        Reads it.
    """
    metric = EVERY.get(name or "")
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


def objection_to_baseline(config: Config, baseline: str | None, model: Adapter) -> str:
    """Return why the candidate is not compared with a baseline, or an empty string."""
    if baseline == "random_init" and not hasattr(model, "random_init"):
        return "the candidate offers no random_init(seed), so whether training helped was not tested"
    if baseline in ON_REQUEST and baseline not in config.baselines:
        return f"compared with on request only (--baselines {baseline})"
    if isinstance(model, Classical) and model.name == baseline:
        return "the candidate is this baseline"
    return ""


def objection_to_predictions(model: Adapter, name: str | None, who: str = "the candidate") -> str:
    """Return why a metric of reconstruction makes no sense for a model, or an empty string.

    Parameters
    ----------
    model
        The model; one that predicts genes has ``reconstruct``, ``scale`` and ``heads``.
    name
        Name of the metric; nothing is said of any that is none of reconstruction.
    who
        What to call the model.
    """
    metric = RECONSTRUCTION.get(name or "")
    if metric is None:
        return ""
    if not predicts_genes(model):
        return NO_HEAD.replace("the candidate", who)
    if model.scale not in metric.scales:
        return f"{who} predicts on scale {model.scale!r}, and {metric.name} is of {', '.join(metric.scales)}"
    if model.scale != "rank" and metric.head not in model.heads:
        return f"{who} has no head {metric.head!r}"
    return cannot_hide(model) if metric.masked else ""


def objection_to_copies(
    model: Adapter,
    name: str | None,
    recipe: Recipe = DEFAULT,
    read: Callable[[], Dataset] | None = None,
    who: str = "the candidate",
) -> str:
    """Return why a model cannot be asked what it makes of perturbed cells, or an empty string.

    Parameters
    ----------
    model
        The model.
    name
        Name of the metric; nothing is said of any that is none of robustness.
    recipe
        Of the run.
    read
        Reads the dataset, where one is meant.
    who
        What to call the model.
    """
    if name not in ROBUSTNESS:
        return ""
    if getattr(model, "fixed", False):
        return f"{who} is rows in a file, which cannot be had of perturbed cells"
    if not model.info.independent_cells:
        return f"{who} looks across cells, so what it makes of a perturbed one depends on how the others are perturbed"
    if recipe.hvg_on == "X":
        return f"the recipe {recipe.id} has hvg read X of the file, which a perturbation of counts does not reach"
    if read is None:
        return ""
    if hasattr(model, "reads") and model.reads(read()):
        return f"{who} reads X of the file, which a perturbation of counts does not reach"
    if name == panel_genes.name and np.count_nonzero(read().counts.getnnz(axis=0)) <= PANEL:
        return f"no more than {PANEL:,} genes have counts, as many as a panel has"
    return ""


def without_predictions(model: Adapter) -> list[NotTestedRecord]:
    """Return that the candidate predicts no genes, or that none can be hidden from it, where it is so."""
    what, reason = "reconstruction", NO_HEAD
    if predicts_genes(model):
        what, reason = "reconstruction of hidden genes", cannot_hide(model)
    return [NotTestedRecord(what=what, suite="test_reconstruction", reason=reason)] if reason else []


def without_forms(model: Adapter) -> list[NotTestedRecord]:
    """Return in what forms the candidate is not asked for the same cells again, and why."""
    if reason := invariances.objection(model):
        return [NotTestedRecord(what="invariances", suite="test_invariances", reason=reason)]
    if not model.info.independent_cells:
        reason = "the candidate looks across cells, so a cell's row may depend on the others and on their order"
        return [NotTestedRecord(what="invariances: cells alone and in another order", reason=reason)]
    return []

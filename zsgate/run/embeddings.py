"""Making: embeddings of the candidate, a rival or a baseline, from the store if they were made before."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.baselines import BASELINES
from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import SEEDS, Embedding, checked
from zsgate.run import stability as checks
from zsgate.system.sources import code_of

if TYPE_CHECKING:
    from zsgate.run.run import Trial

CHECKED = checks.__name__  # what a model is shown and how its rows are checked


def code_of_model(model: Adapter) -> str:
    """Return a digest of the code that embeds with a model, asks it and checks it."""
    return code_of(type(model).__module__, CHECKED)


def embedding(trial: Trial, who: str, dataset: Dataset) -> Embedding:
    """Return the embedding of all cells of a dataset.

    Parameters
    ----------
    trial
        Whose run it is.
    who
        The candidate under its model name, the rival's name, or a baseline.
    dataset
        The cells.

    Raises
    ------
    Exception
        Whatever the model or the baseline raises, and ValueError for rows that are no embedding.
    """
    if who == trial.config.model:
        return _model(trial, who, trial.adapter, dataset)
    rival = trial.rival
    if rival is not None and rival.name == who and rival.adapter is not None:
        return _model(trial, who, rival.adapter, dataset)
    return _baseline(trial, who, dataset)


def _model(trial: Trial, who: str, model: Adapter, dataset: Dataset) -> Embedding:
    drawing: Sequence[Adapter] = model.repeats() if hasattr(model, "repeats") else (model,)
    fingerprints = [each.fingerprint for each in drawing]

    def compute() -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
        name = model.info.name
        rows = [checked(each.embed(dataset), source=name, n_cells=dataset.n_cells) for each in drawing]
        return rows, {"checks": checks.check(model, rows[0], dataset)}

    key = {
        "fingerprint": fingerprints,
        "expression": beside(model, dataset),
        "declared": (model.info.independent_cells, model.info.stochastic),  # whether it was checked
        "code": code_of_model(model),
    }
    return _kept(trial, who, dataset, key, None not in fingerprints, compute)


def reads(model: Adapter, dataset: Dataset) -> str:
    """Return in words what a model reads of a dataset instead of its counts, if it does."""
    return str(model.reads(dataset)) if hasattr(model, "reads") else ""


def beside(model: Adapter, dataset: Dataset) -> dict[str, Any] | None:
    """Return what tells the X of the dataset's file from others, if the model may read it."""
    return dataset.expression.identity if dataset.expression and reads(model, dataset) else None


def _baseline(trial: Trial, who: str, dataset: Dataset) -> Embedding:
    function = resolve_name(BASELINES[who])
    offered = {
        "seeds": trial.seeds(who),
        "candidate": trial.adapter,
        "quick": trial.is_quick,
        "on": trial.recipe.hvg_on,
    }
    taken = {name: value for name, value in offered.items() if name in inspect.signature(function).parameters}
    fingerprint = trial.adapter.fingerprint if "candidate" in taken else ""
    identity = dataset.expression.identity if dataset.expression and taken.get("on") == "X" else None
    key = {
        "expression": beside(trial.adapter, dataset) if "candidate" in taken else identity,
        "settings": {name: value for name, value in taken.items() if name != "candidate"},
        "code": [code_of(function.__module__)] + [code_of_model(trial.adapter)] * ("candidate" in taken),
        "fingerprint": fingerprint,
    }

    def compute() -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
        draws, notes = function(dataset, **taken)
        return [checked(draw, source=who, n_cells=dataset.n_cells) for draw in draws], notes

    return _kept(trial, who, dataset, key, fingerprint is not None, compute)


def _kept(
    trial: Trial,
    who: str,
    dataset: Dataset,
    key: dict[str, Any],
    for_good: bool,
    compute: Callable[[], tuple[Sequence[npt.NDArray[Any]], dict[str, Any]]],
) -> Embedding:
    store = trial.store if for_good else trial.scratch
    started = time.perf_counter()
    full = {"who": who, "dataset": dataset.digest, **key}
    cached = store.has("embedding", full)
    draws, notes = store.arrays("embedding", full, compute)
    trial.timed(f"embed {who}", dataset.name, started, cached=cached, who=who, notes=notes)
    return Embedding(tuple(draws), who, notes, trial.config.seeds or SEEDS, trial.recipe, store)

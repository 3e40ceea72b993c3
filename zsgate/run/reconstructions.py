"""Recovery: what a run knows of reconstructions, its candidate's or a rival's, each made once when asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zsgate.baselines import RECONSTRUCTION_BASELINES
from zsgate.errors import BaselineFailed, CandidateFailed
from zsgate.metrics.reconstruction.metric import CANDIDATE, MASKED, RECONSTRUCTION, ReconstructionMetric, Recovered
from zsgate.metrics.reconstruction.one_pass import recover
from zsgate.run import embeddings as making
from zsgate.system.sources import code_of

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.run.run import Trial

NEARLY = 0.01  # error on shown genes, in their variance (or share of tokens missed), below which a model copies
SAME = 1e-6  # relative difference of the averages' errors from which targets are others
NO_HEAD = "the candidate offers no reconstruct(dataset), so whether it predicts genes was not tested"


def recovered(trial: Trial, who: str, dataset: Dataset, masked: float) -> Recovered:
    """Return what the candidate, a rival, a baseline or a control recovers of a dataset."""
    if trial.rival is not None and who == trial.rival.name:
        return Recovered(_found(trial, dataset, masked, who), CANDIDATE, trial.recipe)
    side = CANDIDATE if who == trial.config.model else who
    return Recovered(_found(trial, dataset, masked), side, trial.recipe)


def other_targets(trial: Trial, who: str, dataset: Dataset, metric: ReconstructionMetric) -> str:
    """Return in words that a rival had other genes or values to predict than the candidate, or ``""``.

    An average is as far from the same targets, whoever predicts them. Average ranks depend on the model as well
    where all genes are shown, so there nothing is said.
    """
    rival = trial.rival
    assert rival is not None
    if metric.scales == ("rank",) and not metric.masked:
        return ""
    average = _average(metric)
    ours = metric(recovered(trial, average, dataset, metric.masked)).value
    if rival.adapter is None:
        theirs = rival.averages.get((dataset.name, metric.masked), {}).get(metric.statistic, {}).get(average)
    else:
        found = _found(trial, dataset, metric.masked, who)
        theirs = metric(Recovered(found, average, trial.recipe)).value
    if theirs is not None and abs(theirs - ours) <= SAME * abs(ours):
        return ""
    said = "unknown" if theirs is None else f"{theirs:.6g}"
    return f"{who} had other targets: {average} scores {said} on them and {ours:.6g} on ours, so nothing is compared"


def only_copies(trial: Trial, who: str, dataset: Dataset, metric: ReconstructionMetric) -> str:
    """Return in words that a side returns what it is shown and guesses no better than an average, or ``""``."""
    side = CANDIDATE if who == trial.config.model else who
    shown = _found(trial, dataset, metric.masked)["copied"][metric.head if side == CANDIDATE else side]
    if not shown <= NEARLY:
        return ""
    blind = _with_hidden_genes(metric)
    found = _found(trial, dataset, blind.masked)
    ours, theirs = (blind(Recovered(found, each, trial.recipe)) for each in (side, _average(metric)))
    sign = 1 if blind.higher_is_better else -1
    if sign * (ours.value - theirs.value) > 0:
        return ""
    return (
        f"{who} only copies: of the genes it is shown it misses {100 * shown:.2g} %, and where they are hidden its "
        f"{blind.name} is {ours.value:.3f} against {theirs.value:.3f} of {_average(metric)}"
    )


def objection(adapter: Any, metric: str | None, who: str = "the candidate") -> str:
    """Return why a metric of reconstruction makes no sense for a model, or an empty string."""
    asked = RECONSTRUCTION.get(metric or "")
    if asked is None:
        return ""
    if not hasattr(adapter, "reconstruct"):
        return NO_HEAD.replace("the candidate", who)
    if adapter.scale not in asked.scales:
        return f"{who} predicts on scale {adapter.scale!r}, and {asked.name} is of {', '.join(asked.scales)}"
    if adapter.scale != "rank" and asked.head not in adapter.heads:
        return f"{who} has no head {asked.head!r}"
    return ""


def not_tested(adapter: Any) -> list[dict[str, Any]]:
    """Return that the suite does not apply, where it does not."""
    if hasattr(adapter, "reconstruct"):
        return []
    return [{"what": "reconstruction", "suite": "test_reconstruction", "dataset": None, "reason": NO_HEAD}]


def shown(trial: Trial, verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for the report what was recovered of each dataset and share that ``verdicts`` speak of."""
    asked = {(v["dataset"], RECONSTRUCTION[v["metric"]].masked) for v in verdicts if v["metric"] in RECONSTRUCTION}
    entries = []
    for name, masked in sorted(asked):
        found = _found(trial, trial.dataset(name), masked)
        way = Recovered(found, CANDIDATE, trial.recipe).way
        values = {
            statistic: {who: columns[0] for who, columns in sides.items()}
            for statistic, sides in found["columns"][way].items()
        }
        kept = ("scale", "masked", "heads", "groups", "n_cells", "n_scored", "copied", "described", "figures")
        told = {key: found[key] for key in kept} | {"in_sample": way == "paper", "nearly": NEARLY}
        entries.append({"dataset": name, **told, "values": values, "noise_floor": found["floor"][way]})
    return entries


def _found(trial: Trial, dataset: Dataset, masked: float, rival: str = "") -> dict[str, Any]:
    """Return the result of the one pass at this share, of the candidate or the rival, from this process or the store.

    Raises
    ------
    CandidateFailed, BaselineFailed
        If it cannot be had; a second request fails at once with the same words.
    """
    who = rival or trial.config.model
    key = (who, dataset.name, masked)
    if key not in trial.recoveries:
        try:
            adapter = trial.rival.adapter if rival and trial.rival else trial.adapter
            trial.recoveries[key] = _kept(trial, who, adapter, trial.whole(dataset.name), masked)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the boundary to code that is not ours: any failure, or exit, has an owner
            kind = BaselineFailed if rival or isinstance(error, BaselineFailed) else CandidateFailed
            msg = f"{who} failed to reconstruct {dataset.name}: {type(error).__name__}: {error}"
            trial.recoveries[key] = kind(msg).with_traceback(error.__traceback__)
    found = trial.recoveries[key]
    if isinstance(found, Exception):
        raise found
    return found


def _kept(trial: Trial, who: str, adapter: Any, dataset: Dataset, masked: float) -> dict[str, Any]:
    fingerprint = adapter.fingerprint
    store = trial.scratch if fingerprint is None else trial.store
    averages = {place.partition(":")[0] for place in RECONSTRUCTION_BASELINES.values()}
    full = {
        "who": who,
        "fingerprint": fingerprint,
        "dataset": dataset.digest,
        "expression": making.beside(adapter, dataset),
        "cells": dataset.cells_digest,
        "masked": masked,
        "code": [making.code_of_model(adapter), code_of(recover.__module__, *sorted(averages))],
    }
    started, cached = time.perf_counter(), store.has("reconstruction", full, ".json")
    found: dict[str, Any] = store.json("reconstruction", full, lambda: recover(adapter, dataset, masked))
    by = "" if who == trial.config.model else f" by {who}"
    what = f"reconstruct{by}, {100 * masked:g} % hidden" if masked else f"reconstruct{by}, all shown"
    trial.timed(what, dataset.name, started, cached=cached)
    return found


def _with_hidden_genes(metric: ReconstructionMetric) -> ReconstructionMetric:
    """Return the metric that asks the same of hidden genes."""
    if metric.masked and metric.statistic != "token_cross_entropy":
        return metric
    statistic = "token_accuracy" if metric.scales == ("rank",) else metric.statistic
    share = metric.masked or MASKED[0]
    return next(m for m in RECONSTRUCTION.values() if (m.statistic, m.masked) == (statistic, share))


def _average(metric: ReconstructionMetric) -> str:
    return "average_rank" if metric.scales == ("rank",) else "mean"

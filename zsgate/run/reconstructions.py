"""Reconstructions: what a run knows of predicted genes, the candidate's or a reference's, each made once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zsgate.errors import BaselineFailed, CandidateFailed
from zsgate.metrics.reconstruction.metric import MASKED, RECONSTRUCTION, ReconstructionMetric
from zsgate.metrics.reconstruction.one_pass import one_pass
from zsgate.metrics.reconstruction.result import CANDIDATE, ReconstructionResult, Side
from zsgate.run.embeddings import beside, code_of_model
from zsgate.system.sources import code_of

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.run.run import Trial

NEARLY = 0.01  # error on shown genes, in their variance (or share of tokens missed), below which a model copies
SAME = 1e-6  # relative difference of the averages' errors from which targets are others


def side(trial: Trial, who: str, dataset: Dataset, masked: float) -> Side:
    """Return what the candidate, the reference, a baseline or a control makes of a dataset's genes."""
    if trial.rival is not None and who == trial.rival.name:
        return reconstruction(trial, dataset, masked, who).side(CANDIDATE, trial.recipe)
    name = CANDIDATE if who == trial.config.model else who
    return reconstruction(trial, dataset, masked).side(name, trial.recipe)


def other_targets(trial: Trial, who: str, dataset: Dataset, metric: ReconstructionMetric) -> str:
    """Return in words that the reference had other genes or values to predict than the candidate, or ``""``.

    An average is as far from the same targets, whoever predicts them. Average ranks depend on the model as well
    where all genes are shown, so there nothing is said.
    """
    reference = trial.rival
    assert reference is not None
    if metric.scales == ("rank",) and not metric.masked:
        return ""
    average = _average(metric)
    ours = metric(side(trial, average, dataset, metric.masked)).value
    if reference.adapter is None:
        recorded = reference.averages.get((dataset.name, metric.masked), {})
        theirs = recorded.get(metric.statistic, {}).get(average)
    else:
        theirs = metric(reconstruction(trial, dataset, metric.masked, who).side(average, trial.recipe)).value
    if theirs is not None and abs(theirs - ours) <= SAME * abs(ours):
        return ""
    said = "unknown" if theirs is None else f"{theirs:.6g}"
    return f"{who} had other targets: {average} scores {said} on them and {ours:.6g} on ours, so nothing is compared"


def only_copies(trial: Trial, who: str, dataset: Dataset, metric: ReconstructionMetric) -> str:
    """Return in words that a side returns what it is shown and guesses no better than an average, or ``""``."""
    name = CANDIDATE if who == trial.config.model else who
    head = metric.head if name == CANDIDATE else name
    missed = reconstruction(trial, dataset, metric.masked).copied[head]
    if not missed <= NEARLY:
        return ""
    hidden = _with_hidden_genes(metric)
    result = reconstruction(trial, dataset, hidden.masked)
    ours, theirs = (hidden(result.side(each, trial.recipe)) for each in (name, _average(metric)))
    sign = 1 if hidden.higher_is_better else -1
    if sign * (ours.value - theirs.value) > 0:
        return ""
    return (
        f"{who} only copies: of the genes it is shown it misses {100 * missed:.2g} %, and where they are hidden its "
        f"{hidden.name} is {ours.value:.3f} against {theirs.value:.3f} of {_average(metric)}"
    )


def for_report(trial: Trial, verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the report shows of each dataset and share of hidden genes that ``verdicts`` speak of."""
    pairs = {(v["dataset"], RECONSTRUCTION[v["metric"]].masked) for v in verdicts if v["metric"] in RECONSTRUCTION}
    shown = ("scale", "masked", "heads", "groups", "n_cells", "n_scored", "copied", "described", "figures")
    entries = []
    for name, masked in sorted(pairs):
        result = reconstruction(trial, trial.dataset(name), masked)
        way = result.side(CANDIDATE, trial.recipe).way
        values = {
            statistic: {who: columns[0] for who, columns in sides.items()}
            for statistic, sides in result.columns[way].items()
        }
        fields = {key: value for key, value in asdict(result).items() if key in shown}
        fields |= {"heads": list(result.heads), "in_sample": way == "paper", "nearly": NEARLY}
        entries.append({"dataset": name, **fields, "values": values, "noise_floor": result.floor[way]})
    return entries


def reconstruction(trial: Trial, dataset: Dataset, masked: float, reference: str = "") -> ReconstructionResult:
    """Return the result of the one pass at this share, from this process or the store.

    Parameters
    ----------
    trial
        Whose run it is.
    dataset
        Cells that are scored; all cells of that dataset are predicted.
    masked
        Share of each cell's genes to hide.
    reference
        Name of the reference, for its result; empty for the candidate's.

    Raises
    ------
    CandidateFailed, BaselineFailed
        If it cannot be had; a second request fails at once with the same words.
    """
    who = reference or trial.config.model
    key = (who, dataset.name, masked)
    if key not in trial.reconstructions:
        try:
            adapter = trial.rival.adapter if reference and trial.rival else trial.adapter
            trial.reconstructions[key] = _made(trial, who, adapter, trial.whole(dataset.name), masked)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the boundary to code that is not ours: any failure, or exit, has an owner
            kind = BaselineFailed if reference or isinstance(error, BaselineFailed) else CandidateFailed
            msg = f"{who} failed to reconstruct {dataset.name}: {type(error).__name__}: {error}"
            trial.reconstructions[key] = kind(msg).with_traceback(error.__traceback__)
    found = trial.reconstructions[key]
    if isinstance(found, Exception):
        raise found
    return found


def _made(trial: Trial, who: str, adapter: Any, dataset: Dataset, masked: float) -> ReconstructionResult:
    from zsgate.baselines import averages  # compiles loops: not before a model predicts genes

    fingerprint = adapter.fingerprint
    store = trial.scratch if fingerprint is None else trial.store
    key = {
        "who": who,
        "fingerprint": fingerprint,
        "dataset": dataset.digest,
        "expression": beside(adapter, dataset),
        "cells": dataset.cells_digest,
        "masked": masked,
        "code": [code_of_model(adapter), code_of(one_pass.__module__, averages.__name__)],
    }
    started, cached = time.perf_counter(), store.has("reconstruction", key, ".json")
    fields = store.json("reconstruction", key, lambda: one_pass(adapter, dataset, averages.AVERAGES, masked).to_json())
    by = "" if who == trial.config.model else f" by {who}"
    what = f"reconstruct{by}, {100 * masked:g} % hidden" if masked else f"reconstruct{by}, all shown"
    trial.timed(what, dataset.name, started, cached=cached)
    return ReconstructionResult.from_json(fields)


def _with_hidden_genes(metric: ReconstructionMetric) -> ReconstructionMetric:
    """Return the metric that asks the same of hidden genes."""
    if metric.masked and metric.statistic != "token_cross_entropy":
        return metric
    statistic = "token_accuracy" if metric.scales == ("rank",) else metric.statistic
    share = metric.masked or MASKED[0]
    return next(m for m in RECONSTRUCTION.values() if (m.statistic, m.masked) == (statistic, share))


def _average(metric: ReconstructionMetric) -> str:
    return "average_rank" if metric.scales == ("rank",) else "mean"

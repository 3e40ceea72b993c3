"""Reconstructions: what models predict of genes, each made once, and what that says of a model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol

from zsgate.data.dataset import Dataset
from zsgate.errors import BaselineFailed, CandidateFailed
from zsgate.metrics.reconstruction.metric import MASKED, RECONSTRUCTION, ReconstructionMetric
from zsgate.metrics.reconstruction.one_pass import one_pass
from zsgate.metrics.reconstruction.result import CANDIDATE, ReconstructionResult, Side
from zsgate.models.adapter import GenePredictor, cannot_hide, predicts_genes
from zsgate.report.record import ReconstructionRecord, VerdictRecord
from zsgate.run.checks.fresh import proof_of
from zsgate.run.embeddings import code_of_model, expression_read
from zsgate.run.ledger import Ledger
from zsgate.run.methods import Candidate, Method
from zsgate.run.reference import Reference
from zsgate.system.processes import time_limit
from zsgate.system.sources import code_of
from zsgate.verdict.recipe import Recipe

NEARLY = 0.01  # error on shown genes, in their variance (or share of tokens missed), below which a model copies
SAME = 1e-6  # relative difference of the averages' errors from which targets are others


class Predictions(Protocol):
    """What is asked of a run: its candidate, and one pass of a model over a dataset, made once."""

    @property
    def candidate(self) -> Candidate:
        """The model that is judged."""
        ...

    @property
    def recipe(self) -> Recipe:
        """The choices that shape every score of the run."""
        ...

    def dataset(self, name: str) -> Dataset:
        """Return the cells of a dataset that are scored."""
        ...

    def one_pass(self, method: Candidate | Reference, dataset: Dataset, masked: float) -> ReconstructionResult:
        """Return the result of one pass of a model at a share of hidden genes."""
        ...


def side(run: Predictions, method: Method, dataset: Dataset, masked: float) -> Side:
    """Return what the candidate, the reference, a baseline or a control makes of a dataset's genes.

    Baselines and controls are judged on the candidate's targets.
    """
    if isinstance(method, Reference):
        return run.one_pass(method, dataset, masked).side(CANDIDATE, run.recipe)
    return run.one_pass(run.candidate, dataset, masked).side(_side_of(method), run.recipe)


def _side_of(method: Method) -> str:
    return CANDIDATE if isinstance(method, Candidate) else method.name


def other_targets(run: Predictions, method: Method, dataset: Dataset, metric: ReconstructionMetric) -> str:
    """Return in words that the reference had other genes or values to predict than the candidate, or ``""``.

    An average is as far from the same targets, whoever predicts them. Average ranks depend on the model as well
    where all genes are shown, so there nothing is said.
    """
    if not isinstance(method, Reference) or (metric.scales == ("rank",) and not metric.masked):
        return ""
    average = _average(metric)
    ours = metric(run.one_pass(run.candidate, dataset, metric.masked).side(average, run.recipe)).value
    if method.model is None:
        theirs = method.past.averages.get((dataset.name, metric.masked), {}).get(metric.statistic, {}).get(average)
    else:
        theirs = metric(run.one_pass(method, dataset, metric.masked).side(average, run.recipe)).value
    if theirs is not None and abs(theirs - ours) <= SAME * abs(ours):
        return ""
    said = "unknown" if theirs is None else f"{theirs:.6g}"
    return (
        f"{method.name} had other targets: {average} scores {said} on them and {ours:.6g} on ours, so nothing is "
        "compared"
    )


def only_copies(run: Predictions, method: Method, dataset: Dataset, metric: ReconstructionMetric) -> str:
    """Return in words that a side returns what it is shown and guesses no better than an average, or ``""``."""
    name = _side_of(method)
    head = metric.head if name == CANDIDATE else name
    missed = run.one_pass(run.candidate, dataset, metric.masked).copied[head]
    if not missed <= NEARLY:
        return ""
    shown = f"{method.name} only copies: of the genes it is shown it misses {100 * missed:.2g} %, and"
    if reason := cannot_hide(run.candidate.model):
        return f"{shown} none can be hidden from it ({reason})"
    hidden = _with_hidden_genes(metric)
    result = run.one_pass(run.candidate, dataset, hidden.masked)
    ours, theirs = (hidden(result.side(each, run.recipe)) for each in (name, _average(metric)))
    sign = 1 if hidden.higher_is_better else -1
    if sign * (ours.value - theirs.value) > 0:
        return ""
    beside = f"{ours.value:.3f} against {theirs.value:.3f} of {_average(metric)}"
    return f"{shown} where they are hidden its {hidden.name} is {beside}"


def records(run: Predictions, verdicts: Sequence[VerdictRecord]) -> list[ReconstructionRecord]:
    """Return what the report shows of each dataset and share of hidden genes that verdicts speak of."""
    pairs = {(v.dataset, RECONSTRUCTION[v.metric].masked) for v in verdicts if v.metric in RECONSTRUCTION}
    return [_record(run, *pair) for pair in sorted(pairs)]


def _record(run: Predictions, dataset: str, masked: float) -> ReconstructionRecord:
    result = run.one_pass(run.candidate, run.dataset(dataset), masked)
    way = result.side(CANDIDATE, run.recipe).way
    values = {
        statistic: {who: columns[0] for who, columns in sides.items()}
        for statistic, sides in result.columns[way].items()
    }
    fields = {name: value for name, value in asdict(result).items() if name in ReconstructionRecord.__struct_fields__}
    return ReconstructionRecord.of(
        {
            **fields,
            "dataset": dataset,
            "in_sample": way == "paper",
            "nearly": NEARLY,
            "values": values,
            "noise_floor": result.floor[way],
        }
    )


def made(
    method: Candidate | Reference, dataset: Dataset, masked: float, ledger: Ledger, limit: float | None = None
) -> ReconstructionResult | Exception:
    """Return the result of the one pass of a model, from the store where it was made before, or whose fault it is not.

    Parameters
    ----------
    method
        With the model.
    dataset
        All cells of it are predicted.
    masked
        Share of each cell's genes to hide.
    ledger
        Of the run.
    limit
        Seconds that it may take; None sets no limit.
    """
    assert method.model is not None
    assert predicts_genes(method.model)
    try:
        with time_limit(limit, f"predicting the genes of {dataset.n_cells} cells"):
            return _made(method, method.model, dataset, masked, ledger)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the boundary to code that is not ours: any failure, or exit, has an owner
        failure = method.failed(f"to reconstruct {dataset.name}", error)
        if isinstance(error, BaselineFailed) and isinstance(failure, CandidateFailed):
            return BaselineFailed(str(failure)).with_traceback(error.__traceback__)
        return failure


def _made(
    method: Candidate | Reference, model: GenePredictor, dataset: Dataset, masked: float, ledger: Ledger
) -> ReconstructionResult:
    from zsgate.baselines import averages  # compiles loops: not before a model predicts genes

    fingerprint, proof = model.fingerprint, proof_of(model, dataset, ledger)
    store = ledger.store(lasts=None not in (fingerprint, proof))
    key = {
        "who": method.name,
        "fingerprint": fingerprint,
        "proof": proof,
        "dataset": dataset.digest,
        "expression": expression_read(model, dataset),
        "cells": dataset.cells_digest,
        "masked": masked,
        "code": [code_of_model(model), code_of(one_pass.__module__, averages.__name__)],
    }
    started, cached = time.perf_counter(), store.has("reconstruction", key, ".json")
    fields = store.json("reconstruction", key, lambda: one_pass(model, dataset, averages.AVERAGES, masked).to_json())
    by = "" if isinstance(method, Candidate) else f" by {method.name}"
    what = f"reconstruct{by}, {100 * masked:g} % hidden" if masked else f"reconstruct{by}, all shown"
    ledger.timed(what, dataset.name, started, cached=cached)
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

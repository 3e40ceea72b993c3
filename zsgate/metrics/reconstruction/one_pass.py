"""Recovery: one pass of a model over a dataset's genes, and all that its metrics, baselines and figures need of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pkgutil import resolve_name
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from zsgate.baselines import RECONSTRUCTION_BASELINES
from zsgate.data.dataset import Dataset, effective_number
from zsgate.errors import BaselineFailed, CandidateFailed
from zsgate.metrics.reconstruction import figures
from zsgate.metrics.reconstruction.groups import Groups
from zsgate.metrics.reconstruction.metric import CANDIDATE
from zsgate.metrics.reconstruction.ranks import RankTally
from zsgate.metrics.reconstruction.values import COPY, ValueTally
from zsgate.models.reconstruction import Reconstruction

WAYS = {"default": ("cells", False), "paper": ("pooled", True)}  # by recipe: weighting, whether fitted in sample
MEANS = ("mean", "gene_mean", "cell_gene_mean")
Columns = dict[str, dict[str, list[float]]]


def recover(adapter: Any, dataset: Dataset, masked: float = 0.0) -> dict[str, Any]:
    """Return, in builtins, what the candidate, its baselines and a copy of the input recover of a dataset.

    The model runs once; its predictions are dropped window by window.

    Parameters
    ----------
    adapter
        A model with ``reconstruct(dataset, masked=..., seed=...)``.
    dataset
        Cells.
    masked
        Share of each cell's genes to hide.

    Raises
    ------
    CandidateFailed
        If the model leaves out a cell, gives one twice, hides another share, or gives what does not fit.
    BaselineFailed
        If a baseline cannot be fitted.
    """
    groups = Groups.of(dataset)
    with ExitStack() as held:
        tally: ValueTally | RankTally | None = None
        for part in _checked(adapter, dataset, masked):
            if tally is None:
                tally = held.enter_context(_tally(part, groups, len(dataset.symbols), masked))
            tally.add(part)
        assert tally is not None
        found = _ranks(tally) if isinstance(tally, RankTally) else _values(tally, list(part.predictions))
    names = {"scale": part.scale, "masked": masked, "heads": [head for head in found["copied"] if head != COPY]}
    of_cells, unit = dataset.units
    n_effective = None if of_cells is None else effective_number(of_cells)
    units = {"units": list(groups.units), "unit": unit, "n_effective": n_effective, "groups": groups.kind}
    scored = {"n_cells": dataset.n_cells, "n_scored": int((tally.n_scored > 0).sum())}
    return {**names, **units, **scored, "cells": dataset.cells_digest, **found}


@contextmanager
def _tally(first: Reconstruction, groups: Groups, n_genes: int, masked: float) -> Iterator[ValueTally | RankTally]:
    """Yield the tally of a scale; what it keeps on disk is dropped in the end."""
    if first.scale != "rank":
        yield ValueTally(groups, n_genes, masked)
        return
    with TemporaryFile() as spool:
        yield RankTally(groups, masked, spool)


def _checked(adapter: Any, dataset: Dataset, masked: float) -> Iterator[Reconstruction]:
    """Yield the windows; refuse what is no reconstruction of these cells at this share."""
    seen = np.zeros(dataset.n_cells, dtype=bool)
    hidden = wanted = 0
    first: Reconstruction | None = None
    for part in adapter.reconstruct(dataset, masked=masked, seed=0):
        first = first or part
        _fit(part, first, dataset, seen)
        _keep_promises(part, adapter)
        seen[part.cells] = True
        lengths = np.diff(part.offsets)
        hidden += int(part.masked.sum())
        wanted += int(np.maximum(np.rint(masked * lengths), lengths > 0).sum()) if masked else 0
        yield part
    if not seen.all():
        missing = np.flatnonzero(~seen)
        msg = f"reconstruct left out {len(missing)} of {len(seen)} cells (first: {dataset.cell_ids[missing[0]]})"
        raise CandidateFailed(msg)
    if abs(hidden - wanted) > 0.1 * wanted:
        msg = f"reconstruct was asked to hide {100 * masked:g} % of the genes ({wanted}) and hid {hidden}"
        raise CandidateFailed(msg)


def _fit(part: Any, first: Reconstruction, dataset: Dataset, seen: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    """Raise CandidateFailed unless a window fits the dataset and the windows before it."""
    if not isinstance(part, Reconstruction):
        msg = f"reconstruct must yield zsgate.models.reconstruction.Reconstruction, not {type(part).__name__}"
        raise CandidateFailed(msg)
    if part.scale != first.scale or set(part.predictions) != set(first.predictions):
        msg = "reconstruct changed its scale or heads from one window to the next"
        raise CandidateFailed(msg)
    n_genes = len(dataset.symbols)
    inside = ((part.cells >= 0) & (part.cells < dataset.n_cells)).all() and (
        (part.genes >= 0) & (part.genes < n_genes)
    ).all()
    if not inside:
        msg = f"reconstruct names cells or genes outside the dataset ({dataset.n_cells} cells, {n_genes} genes)"
        raise CandidateFailed(msg)
    if seen[part.cells].any() or len(np.unique(part.cells)) < len(part.cells):
        msg = "reconstruct gave a cell twice"
        raise CandidateFailed(msg)
    if not np.isfinite(part.target).all():
        msg = "reconstruct has targets that are not finite"
        raise CandidateFailed(msg)


def _keep_promises(part: Reconstruction, adapter: Any) -> None:
    """Raise CandidateFailed unless a window is on the scale and has the heads that the model declares."""
    scale, heads = getattr(adapter, "scale", part.scale), getattr(adapter, "heads", ())
    if part.scale != scale:
        msg = f"reconstruct gave scale {part.scale!r} and the model declares {scale!r}"
        raise CandidateFailed(msg)
    if part.scale != "rank" and not set(heads) <= set(part.predictions):
        msg = f"reconstruct gave the heads {', '.join(part.predictions)} and the model declares {', '.join(heads)}"
        raise CandidateFailed(msg)


def _values(tally: ValueTally, heads: list[str]) -> dict[str, Any]:
    columns = {}
    for way, (weight, in_sample) in WAYS.items():
        shared = {who: _fitted(who, tally, weight, in_sample=in_sample) for who in MEANS}
        shared[COPY] = tally.head(COPY, weight)
        columns[way] = {f"mse_{head}": {CANDIDATE: tally.head(head, weight), **shared} for head in heads}
    return {
        "columns": columns,
        "floor": {way: tally.noise_floor(weight) for way, (weight, _) in WAYS.items()},
        "copied": {head: tally.copied(head) for head in (*heads, COPY)},
        "described": {f"mse_{head}": described(tally.errors[head]) for head in heads},
        "figures": figures.of_values(tally, heads, resolve_name("zsgate.baselines.mean:of_genes")(tally)),
    }


def _ranks(tally: RankTally) -> dict[str, Any]:
    columns: dict[str, Columns] = {}
    for way, (weight, in_sample) in WAYS.items():
        theirs = _fitted("average_rank", tally, weight, in_sample=in_sample)
        columns[way] = {
            statistic: {
                "average_rank": theirs[statistic],
                **{
                    name: tally.head(statistic, head, weight)
                    for name, head in ((CANDIDATE, "token"), (COPY, COPY))
                    if head in each
                },
            }
            for statistic, each in tally.cells.items()
        }
    return {
        "columns": columns,
        "floor": dict.fromkeys(WAYS, float("nan")),
        "copied": {head: tally.copied(head) for head in ("token", COPY)},
        "described": {statistic: described(each["token"]) for statistic, each in tally.cells.items()},
        "figures": {} if tally.share else figures.of_ranks(tally),
    }


def _fitted(who: str, *given: Any, **options: Any) -> Any:
    try:
        return resolve_name(RECONSTRUCTION_BASELINES[who])(*given, **options)
    except Exception as error:  # a baseline's failure is not the candidate's
        msg = f"{who} failed: {type(error).__name__}: {error}"
        raise BaselineFailed(msg) from error


def described(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Return count, mean, standard deviation and quartiles over cells, as the paper prints them."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return {"count": len(known)}
    names = ("min", "25%", "50%", "75%", "max")
    quartiles = dict(zip(names, np.quantile(known, (0, 0.25, 0.5, 0.75, 1)).tolist(), strict=True))
    return {"count": len(known), "mean": float(known.mean()), "std": float(known.std(ddof=1)), **quartiles}

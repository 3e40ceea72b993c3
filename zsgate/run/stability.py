"""Checks: whether a candidate gives a cell the same row a second time, in another order, batch and shard.

Few cells are embedded again, so an expensive model stays affordable. What moved by a tenth of the distance between two
cells is refused; what moved less is carried into the scores, and a verdict that it could have decided does not pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import Embedding, check_rows
from zsgate.system import arrays as spill
from zsgate.system.progress import waiting

if TYPE_CHECKING:
    from zsgate.metrics.metric import Metric

Rows = npt.NDArray[np.float32]
SHARD, BATCH = 64, 16  # cells embedded alone, and cells of these in a smaller batch
REFUSED, STEADY = 0.1, 1e-4  # in units of the median distance between two cells


def draws_of(model: Adapter) -> Sequence[Adapter]:
    """Return the model once for each draw over which its score is to be the mean."""
    return model.repeats() if hasattr(model, "repeats") else (model,)


def embed(model: Adapter, dataset: Dataset) -> tuple[list[Rows], dict[str, Any]]:
    """Return the rows of each draw, float32 (n_cells, n_dimensions), and in the notes what was checked.

    Raises
    ------
    Exception
        Whatever the model raises, and ValueError for rows that are no embedding or that move.
    """
    name = model.info.name
    rows = [check_rows(each.embed(dataset), source=name, n_cells=dataset.n_cells) for each in draws_of(model)]
    return rows, {"checks": check(model, rows[0], dataset)}


def check(model: Adapter, rows: Rows, dataset: Dataset) -> list[dict[str, Any]]:
    """Return what was checked and how far rows moved, in builtins; nothing for a model that says it looks across cells.

    Parameters
    ----------
    model
        The candidate.
    rows
        Its embedding of the dataset, shape (n_cells, n_dimensions).
    dataset
        The cells.

    Raises
    ------
    ValueError
        If a row moved by more than a tenth of the median distance between two cells.
    """
    info = model.info
    if not info.independent_cells or info.stochastic or dataset.n_cells <= SHARD:
        return []
    generator = np.random.default_rng(0)
    some = np.sort(generator.choice(dataset.n_cells, SHARD, replace=False))
    few, order = some[:BATCH], generator.permutation(BATCH)

    def again(cells: npt.NDArray[np.intp]) -> Rows:
        return check_rows(model.embed(dataset.subset(cells)), source=info.name, n_cells=len(cells))

    apart = float(np.median(np.linalg.norm(rows[some] - rows[np.roll(some, 1)], axis=1)))
    with waiting(f"{info.name}: embedding {SHARD} cells again, in four ways"):
        shard, batch = again(some), again(few)
        pairs = {
            "in another shard": (shard, rows[some]),
            "in a batch of another size": (batch, shard[:BATCH]),
            "a second time": (again(few), batch),
            "in another order": (again(few[order]), batch[order]),
        }
    return [_compared(info.name, what, *pair, apart) for what, pair in pairs.items()]


def _compared(name: str, what: str, again: Rows, before: Rows, apart: float) -> dict[str, Any]:
    moved = np.linalg.norm(again.astype(np.float64) - before, axis=1)
    worst = float(moved.max())
    if not worst <= REFUSED * apart:
        msg = (
            f"{name} embeds the same cell differently {what}: of {len(again)} cells a row moved by {worst:.3g} where "
            f"two cells are {apart:.3g} apart. Rows must be in the order given; a model that looks across cells "
            "declares independent_cells = False"
        )
        raise ValueError(msg)
    return {
        "check": what,
        "cells": len(again),
        "moved": worst,
        "typical": float(np.sqrt((moved**2).mean())),
        "apart": apart,
    }


def shift(metric: Metric, embedding: Embedding, dataset: Dataset) -> float:
    """Return by how much a score moves when every row moves as far as rows were seen to move; 0 for a steady model.

    Parameters
    ----------
    metric
        The metric of the score.
    embedding
        The candidate's, with what was checked in its notes.
    dataset
        The cells that are scored.
    """
    found = embedding.notes.get("checks", [])
    typical = max((each["typical"] for each in found if each["moved"] > STEADY * each["apart"]), default=0.0)
    if not typical:
        return 0.0
    generator = np.random.default_rng(int(dataset.cells_digest[:16], 16))
    moved = tuple(_shaken(draw, typical, generator) for draw in embedding.draws)
    return abs(metric(replace(embedding, draws=moved), dataset).value - metric(embedding, dataset).value)


def _shaken(rows: Rows, typical: float, generator: np.random.Generator) -> Rows:
    """Return the rows, each moved in a random direction by about ``typical``."""
    moved = spill.empty(rows.shape)
    for part in spill.stretches(rows):
        step = generator.standard_normal(rows[part].shape) * typical / np.sqrt(rows.shape[1])
        moved[part] = rows[part] + step
    return moved

"""Checks: whether a candidate gives a cell the same row a second time, in another order, batch and shard.

Few cells are embedded again, so an expensive model stays affordable. What moved by a tenth of the distance between two
cells is refused, unless a bfloat16 rounds as much and each row stays with its cell; what moved less is carried into the
scores, and a verdict that it could have decided does not pass. A model that draws chance may move by what two calls
differ, and each row must stay with its cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import check_rows, in_shards
from zsgate.system.parallel.parts import Parts
from zsgate.system.progress import waiting

Rows = npt.NDArray[np.float32]
SHARD, BATCH = 64, 16  # cells embedded alone, and cells of these in a smaller batch
REFUSED, STEADY = 0.1, 1e-4  # in units of the median distance between two cells
ROUNDING = 2.0**-6  # of a row's norm: a bfloat16 has 8 bits, and who else is in a batch decides the order of sums
CHANCE = 3.0  # how much farther than from one call to the next chance may move a row
STRAYED = 0.5  # share of the squared distance to other cells' rows; 1 where rows are dealt out anew


def draws_of(model: Adapter) -> Sequence[Adapter]:
    """Return the model once for each draw over which its score is to be the mean."""
    return model.repeats() if hasattr(model, "repeats") else (model,)


def embed(model: Adapter, dataset: Dataset, parts: Parts | None = None) -> tuple[list[Rows], dict[str, Any]]:
    """Return the rows of each draw, float32 (n_cells, n_dimensions), and in the notes what was checked, or why not.

    Parameters
    ----------
    model
        The model.
    dataset
        The cells.
    parts
        Where rows are kept until all are there.

    Raises
    ------
    Exception
        Whatever the model raises, and ValueError for rows that are no embedding or that move.
    """
    draws, name = draws_of(model), model.info.name
    models = {f"{name}, draw {n}" if n else name: partial(_itself, each) for n, each in enumerate(draws)}
    apart = model.info.independent_cells and not getattr(model, "fixed", False)
    rows = in_shards(models, dataset, parts or Parts(), apart=apart)
    return rows, notes_of(model, rows, dataset)


def notes_of(model: Adapter, draws: Sequence[Rows], dataset: Dataset) -> dict[str, Any]:
    """Return what was checked of the rows of each draw, or why not; ValueError for rows that move."""
    reason = why_unchecked(model, dataset)
    return {"checks": check(model, draws, dataset), **({"unchecked": reason} if reason else {})}


def _itself(model: Adapter) -> Adapter:
    return model


def why_unchecked(model: Adapter, dataset: Dataset) -> str:
    """Return in words why no cells are embedded again, or an empty string."""
    if not model.info.independent_cells:
        return "it says that it looks across cells (independent_cells = False)"
    if dataset.n_cells <= SHARD:
        return f"the dataset has {dataset.n_cells} cells, and more than {SHARD} are needed"
    return ""


@dataclass(frozen=True, slots=True)
class _Usual:
    """How far rows are apart and move anyway.

    Attributes
    ----------
    apart
        Median distance between two cells.
    chance
        Largest distance between a row and the same row of the same call again, or of another draw; 0 for a model that
        draws nothing.
    rounding
        How far rounding may move a row.
    draws
        Whether it draws chance.
    """

    apart: float
    chance: float
    rounding: float
    draws: bool


def check(model: Adapter, draws: Sequence[Rows], dataset: Dataset) -> list[dict[str, Any]]:
    """Return what was checked and how far rows moved, in builtins.

    Few cells are embedded again unless :func:`why_unchecked` says why not. Of a model that draws chance the several
    draws of all cells are compared as well.

    Parameters
    ----------
    model
        The candidate.
    draws
        Its embeddings of the dataset, each of shape (n_cells, n_dimensions).
    dataset
        The cells.

    Raises
    ------
    ValueError
        If a row moved farther than :func:`allowed`, beyond what chance moves it; or, where chance is drawn, rows are
        about as far from their own as from other cells' rows.
    """
    name, chancy = model.info.name, model.info.stochastic
    generator = np.random.default_rng(0)
    some = np.sort(generator.choice(dataset.n_cells, min(SHARD, dataset.n_cells), replace=False))
    before = draws[0][some]
    apart = float(np.median(np.linalg.norm(before - np.roll(before, 1, axis=0), axis=1)))
    others = [each[some] for each in draws[1:]]
    chance = max([float(_moves(each, before).max()) for each in others], default=0.0)
    usual = _Usual(apart, chance, allowed(before, apart), chancy)
    found = [_compared(name, "in another draw", each, before, usual) for each in others]
    if why_unchecked(model, dataset):
        return found

    def again(cells: npt.NDArray[np.intp]) -> Rows:
        return check_rows(model.embed(dataset.subset(cells)), source=name, n_cells=len(cells))

    with waiting(f"{name}: embedding {SHARD} cells again, in four ways"):
        shard, batch = again(some), again(some[:BATCH])
        cells, known = (some, shard) if chancy else (some[:BATCH], batch)  # chance takes more cells to see through
        order, second = generator.permutation(len(cells)), again(cells)
        if chancy:
            usual = replace(usual, chance=max(usual.chance, float(_moves(second, known).max())))
        pairs = {
            "in another shard": (shard, before),
            "in a batch of another size": (batch, shard[:BATCH]),
            "a second time": (second, known),
            "in another order": (again(cells[order]), known[order]),
        }
    return found + [_compared(name, what, *pair, usual) for what, pair in pairs.items()]


def allowed(rows: Rows, apart: float) -> float:
    """Return how far a row of a model that draws no chance may move.

    A tenth of the distance between two cells, or what numbers of 8 bits round, up to half of that distance, so that
    each row stays nearer to its own cell's than to others'. A network whose rows share a large part, as an untrained
    one's do, loses that much of their differences in bfloat16.

    Parameters
    ----------
    rows
        Of some cells, (n_cells, n_dimensions).
    apart
        Median distance between two of them.
    """
    return max(REFUSED * apart, min(ROUNDING * _norm(rows), STRAYED * apart))


def too_coarse(moved: float, rows: Rows) -> str:
    """Return what else may have moved a row, in words; an empty string where it moved farther than rounding does."""
    if moved > ROUNDING * _norm(rows):
        return ""
    return "; a bfloat16 rounds as much of such rows, so float32 may be what they need (dtype = 'float32')"


def _norm(rows: Rows) -> float:
    return float(np.median(np.linalg.norm(rows.astype(np.float64), axis=1)))


def _compared(name: str, what: str, again: Rows, before: Rows, usual: _Usual) -> dict[str, Any]:
    moved = _moves(again, before)
    worst = float(moved.max())
    said = f"{name} embeds the same cell differently {what}: of {len(again)} cells a row moved by {worst:.3g} where "
    if not worst <= usual.rounding + CHANCE * usual.chance:
        by_chance = f" and chance moves a row by {usual.chance:.3g}" if usual.draws else ""
        msg = (
            f"{said}two cells are {usual.apart:.3g} apart{by_chance}. Rows must be in the order given; a model that "
            f"looks across cells declares independent_cells = False{too_coarse(worst, before)}"
        )
        raise ValueError(msg)
    if usual.draws and not _share_strayed(again, before) <= STRAYED:
        msg = (
            f"{said}two cells are {usual.apart:.3g} apart: its rows are about as far from other cells' rows as from "
            "their own. They are not in the order given, or chance outweighs all that tells cells apart"
        )
        raise ValueError(msg)
    return {
        "check": what,
        "cells": len(again),
        "moved": worst,
        "typical": float(np.sqrt((moved**2).mean())),
        "apart": usual.apart,
        "chance": usual.chance,
    }


def _moves(again: Rows, before: Rows) -> npt.NDArray[np.float64]:
    """Return how far each row moved, (n_cells,)."""
    moves: npt.NDArray[np.float64] = np.linalg.norm(again.astype(np.float64) - before, axis=1)
    return moves


def _share_strayed(again: Rows, before: Rows) -> float:
    """Return the mean square of the rows' moves over that of the distances to the rows of other cells before."""
    n, centre = len(again), before.mean(axis=0, dtype=np.float64)
    here, there = again - centre, before - centre
    own = float(np.square(here - there).sum(axis=1).mean())
    everybody = float(np.square(here).sum(axis=1).mean() + np.square(there).sum(axis=1).mean())
    everybody -= 2 * float(here.mean(axis=0) @ there.mean(axis=0))
    others = (n * everybody - own) / max(n - 1, 1)
    return own / others if others > 0 else float(own > 0)

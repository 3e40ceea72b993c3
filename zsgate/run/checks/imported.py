"""Imported embeddings: used only after this run has embedded some of their cells itself and found the same rows.

What :func:`zsgate.system.store.parcel.unpack` took from a file may be anybody's. Its key says which model and cells it
claims to be of, not that it is. So the model embeds few cells, drawn by chance that nobody could foresee, and the rows
must be where it puts them; what else is said of the embedding is made anew. That is no proof of every row: of rows of
which a share s is false, 16 cells show none with probability (1 - s)^16, which is 44 % for 5 % and 3 % for 20 %.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter, ModelInfo, TwinMaker
from zsgate.models.embedding import check_rows
from zsgate.run.before.lookup import Absent, Lookup
from zsgate.run.checks import stability
from zsgate.run.checks.stability import STEADY
from zsgate.system.progress import waiting
from zsgate.system.store import Store
from zsgate.system.store.parcel import IMPORTED

CELLS = 16  # that are embedded again, of each draw
KIND, PROOF = "embedding", "proof"
NOTE = "imported"  # of an embedding's notes: that it was, and what was done about it
Rows = npt.NDArray[np.float32]
Same = Callable[[Rows, Rows], bool]


class Disproved(ValueError):
    """Rows are not those of who is said to have made them, in words."""


@dataclass(frozen=True, slots=True)
class Again:
    """How few cells of an embedding can be embedded again, and what is to be said of the whole.

    Attributes
    ----------
    dataset
        All cells.
    draws
        Returns who embeds, for each draw.
    notes
        Returns the notes of an embedding, given its draws; ValueError says that they cannot be the model's.
    objection
        Why few cells say nothing of the whole, in words; empty where they do.
    """

    dataset: Dataset
    draws: Callable[[], Sequence[Adapter]] = tuple
    notes: Callable[[Sequence[Rows]], Mapping[str, Any]] = lambda _: {}
    objection: str = ""

    @classmethod
    def by_model(cls, model: Adapter, dataset: Dataset) -> Again:
        """Return how a model embeds few cells of a dataset again."""
        return cls(
            dataset,
            lambda: stability.draws_of(model),
            lambda draws: stability.notes_of(model, draws, dataset),
            _objection(model.info),
        )

    @classmethod
    def by_baseline(cls, who: str, asked: Mapping[str, Any], dataset: Dataset) -> Again:
        """Return how a baseline embeds few cells again: untrained twins can, others learn of all cells or do not say.

        Parameters
        ----------
        who
            Name of the baseline.
        asked
            What it asks for by name.
        dataset
            All cells.
        """
        if who != "random_init":
            return cls(dataset, objection="it is a baseline that is made of all cells of a dataset at once")
        candidate: TwinMaker = asked["candidate"]
        seeds = range(asked["seeds"])
        return cls(
            dataset,
            lambda: [candidate.random_init(seed) for seed in seeds],
            lambda _: {"seeds": list(seeds)},
            _objection(candidate.info),
        )

    @property
    def about(self) -> dict[str, object]:
        """What is kept beside an embedding for whoever exports it."""
        return {"dataset": self.dataset.name, "objection": self.objection}


def _objection(info: ModelInfo) -> str:
    if not info.independent_cells:
        return "its model looks across cells (independent_cells = False), so few cells have other rows"
    return "its model draws chance, so rows differ from call to call" if info.stochastic else ""


def proven(key: Mapping[str, Any], again: Again, store: Store) -> tuple[list[Rows], dict[str, Any]] | None:
    """Return draws and notes of an imported embedding that few cells prove; None if there is none such.

    One that is disproved is removed, which is said.

    Parameters
    ----------
    key
        Of the embedding in the store.
    again
        Who embeds few cells.
    store
        The store that lacks it. One that is fresh takes nothing from elsewhere.

    Raises
    ------
    Exception
        Whatever the model raises that is to embed the cells.
    """
    waiting_ones = Lookup(store.folder / IMPORTED, store.run, store.fresh)
    if again.objection or store.fresh or not waiting_ones.has(KIND, key):
        return None
    try:
        draws, _ = waiting_ones.arrays(KIND, key, lambda: ([], {}))
    except Absent:  # damaged, which is said already
        return None
    try:
        rows = _checked(draws, again.dataset)
        return rows, _notes(rows, again)
    except Disproved as error:
        whose = f"the imported embedding of {again.dataset.name} by {key.get('who')}"
        store.say(f"{whose} is not used, and is removed: {error}")
        waiting_ones.discard(KIND, key)
        return None


def _checked(draws: Sequence[npt.NDArray[Any]], dataset: Dataset) -> list[Rows]:
    """Return what could be rows of the cells, in the form that all embeddings have, or raise Disproved."""
    try:
        return [check_rows(each, source="it", n_cells=dataset.n_cells) for each in draws]
    except ValueError as error:
        raise Disproved(str(error)) from error


def _notes(draws: Sequence[Rows], again: Again) -> dict[str, Any]:
    """Return what is to be said of an imported embedding, or raise Disproved."""
    dataset, models = again.dataset, again.draws()
    if len(draws) != len(models):
        msg = f"it has {len(draws)} draws and not {len(models)}"
        raise Disproved(msg)
    places = np.sort(_chance().choice(dataset.n_cells, min(CELLS, dataset.n_cells), replace=False))
    found = [_compared(model, rows, dataset, places) for model, rows in zip(models, draws, strict=True)]
    try:
        notes = dict(again.notes(draws))
    except ValueError as error:
        raise Disproved(str(error)) from error
    if "checks" in notes:  # what moves rows from machine to machine counts as what moves them here
        notes["checks"] = [*notes["checks"], *found]
    elif (moved := max(each["moved"] / each["apart"] if each["apart"] else each["moved"] for each in found)) > STEADY:
        msg = (
            f"a row is {moved:.3g} of the distance between two cells from the model's own, and no score allows for that"
        )
        raise Disproved(msg)
    agree = f"{len(places)} of {dataset.n_cells} cells, drawn by chance, were embedded again and agree"
    return {**notes, NOTE: f"from elsewhere; {agree}"}


def _compared(model: Adapter, rows: Rows, dataset: Dataset, places: npt.NDArray[np.intp]) -> dict[str, Any]:
    """Return how far few rows are from the model's own, in the form of a check of stability, or raise Disproved."""
    name = model.info.name
    with waiting(f"{name}: embedding {len(places)} cells, to see whether imported rows are its own"):
        own = check_rows(model.embed(dataset.subset(places)), source=name, n_cells=len(places))
    known = rows[places]
    if known.shape != own.shape:
        msg = f"its rows have {known.shape[1]} numbers and not {own.shape[1]}"
        raise Disproved(msg)
    moves = np.linalg.norm(known.astype(np.float64) - own, axis=1)
    apart = float(np.median(np.linalg.norm(own - np.roll(own, 1, axis=0), axis=1)))
    worst = float(moves.max())
    if not worst <= stability.allowed(own, apart):
        msg = f"of {len(places)} cells a row is {worst:.3g} from the model's own, where two cells are {apart:.3g} apart"
        raise Disproved(msg)
    typical = float(np.sqrt((moves**2).mean()))
    return {
        "check": "on the machine it was imported from",
        "cells": len(places),
        "moved": worst,
        "typical": typical,
        "apart": apart,
        "chance": 0.0,
    }


def forget(key: Mapping[str, Any], store: Store) -> None:
    """Remove an imported embedding that the store has by now."""
    if store.has(KIND, key):
        Store(store.folder / IMPORTED).discard(KIND, key)


def rows_like(rows: Rows, store: Store, key: Callable[[int], Mapping[str, object]], same: Same) -> Rows:
    """Return imported rows of few cells if they are the model's: embeddings from elsewhere are called after them.

    Parameters
    ----------
    rows
        The model's own, which are returned if no others are the same.
    store
        The store that keeps such rows.
    key
        Returns the key of the first, second and further rows that were kept.
    same
        Returns whether two are the same but for rounding.
    """
    waiting_ones = Lookup(store.folder / IMPORTED, store.run, store.fresh)
    with suppress(Absent):
        number = 0
        while waiting_ones.has(PROOF, key(number)):
            for found in waiting_ones.arrays(PROOF, key(number), lambda: ([], {}))[0]:
                fits = found.shape == rows.shape and found.dtype == rows.dtype and bool(np.isfinite(found).all())
                if fits and same(rows, found):
                    return found
            number += 1
    return rows


def _chance() -> np.random.Generator:
    """Return a generator whose numbers nobody who made a file could know."""
    return np.random.default_rng(secrets.randbits(128))

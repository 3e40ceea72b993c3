"""Columns: where a file says what a cell is, and what such a column may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from zsgate.data.annotations import strings
from zsgate.data.dataset import Strings
from zsgate.errors import UsageProblem, nearest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file keeps what a trial needs.

    Attributes
    ----------
    label, batch, donor
        Columns of ``obs``; batch and donor may be unknown.
    counts
        ``"X"``, ``"raw"`` or ``"layers/NAME"``; None looks in layers/counts, raw and X, in that order.
    """

    label: str | None = None
    batch: str | None = None
    donor: str | None = None
    counts: str | None = None


def column_of(obs: pd.DataFrame, column: str, where: str, role: str) -> Strings:
    """Return a column of ``obs``, or several joined by ``+``, as strings, empty where missing."""
    if column not in obs.columns and "+" in column:
        parts = [column_of(obs, part, where, role) for part in column.split("+")]
        known = np.logical_and.reduce([part != "" for part in parts])
        return np.where(known, reduce(lambda one, two: np.char.add(np.char.add(one, " / "), two), parts), "")
    if column not in obs.columns:
        near = nearest(column, [str(name) for name in obs.columns], cutoff=0.6)
        hint = f"; did you mean {near!r}?" if near else f"; obs has {listed(obs.columns)}"
        msg = f"{where}: no column {column!r} for --{role}{hint}"
        raise UsageProblem(msg)
    values = obs[column]
    if values.dtype.kind == "f" and (values.dropna() % 1 != 0).any():
        msg = f"{where}: column {column!r} for --{role} holds fractional numbers, not names"
        raise UsageProblem(msg)
    return strings(values)


def told_apart(labels: Strings, where: str) -> Strings:
    """Return ``labels``, or refuse what cannot be cell types."""
    n_labels = len(np.unique(labels))
    if n_labels < 2:
        msg = f"{where} has {n_labels} distinct value; at least two are needed"
        raise UsageProblem(msg)
    if n_labels > len(labels) / 2:
        msg = f"{where} has {n_labels} distinct values in {len(labels)} cells; cell types have several cells each"
        raise UsageProblem(msg)
    return labels


def labelled(obs: Mapping[str, Strings], notes: list[str]) -> np.ndarray:
    """Return which cells have a label, and a batch and a donor where those are named; ``notes`` says how many lack."""
    known = np.ones(len(obs["label"]), dtype=bool)
    for role, values in obs.items():
        missing = (values == "") & known
        if missing.any():
            notes.append(f"{missing.sum()} cells without a {role} are left out")
            known &= ~missing
    return known


def listed(columns: Sequence[Any]) -> str:
    """Return the names of columns as a message shows them."""
    names = [str(column) for column in columns]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "no columns"

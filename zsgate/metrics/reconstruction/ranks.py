"""RankTally: correlations of predicted with true ranks, and hits on hidden tokens, a window at a time.

A token's true rank is 1 for a cell's first gene and 0 for its last; its predicted rank is the mean of the ranks at
which the model names it. Both are compared over the union of a cell's tokens and the tokens the model names, a missing
one having rank 0: the definition of the code of Kedzierska et al. 2025 (``model_output.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.errors import CandidateFailed
from zsgate.metrics.cells import Codes, Floats
from zsgate.metrics.reconstruction.groups import Groups
from zsgate.metrics.reconstruction.values import COPY, POINTS, Weight
from zsgate.models.reconstruction import Reconstruction

LEVELS = 20  # ranks go from 0 to 1; how often a token stands at a rank is counted by twentieths
UNITS = 2**24  # weight of a cell: a whole number, so that sums do not depend on the order of the cells
TOP = 10
HEADS = ("token", "log_probability", "likelier")
STATISTICS = ("token_accuracy", "token_top10", "token_cross_entropy")


class Union(NamedTuple):
    """Cells with the tokens of either side: ``offsets`` (n_cells + 1,), ``tokens``, true and predicted ranks."""

    cells: Codes
    offsets: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int32]
    true: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.float32]


@dataclass
class RankTally:
    """What remains of all windows.

    Attributes
    ----------
    groups
        Groups of the cells.
    share
        Share of genes that were hidden: with 0 ranks are correlated, else hidden tokens are scored.
    spool
        A file for the unions of all cells, which may not fit into memory.
    seen
        Cells of each group whose token has a rank above 0, and the sum of these ranks, float64
        (2, n_groups, n_tokens); grows with the largest token.
    levels
        Tokens of each group by level of rank and weighting, each (n_groups, LEVELS, n_tokens): a cell's tokens
        count UNITS together (``"cells"``, int64) or 1 each (``"pooled"``, int32). Empty where nothing is hidden.
    hidden
        The hidden ones among them by weighting, float64 (2, n_groups, LEVELS, n_tokens).
    cells
        Value of each cell by statistic and head, (n_cells,); NaN where it is not defined for anybody.
    n_scored
        Entries of each cell that are scored, (n_cells,).
    shown
        Tokens shown and how many of them each head names.
    points
        Sampled true and predicted ranks of unions, with token and group.
    """

    groups: Groups
    share: float
    spool: IO[bytes]
    seen: Floats = field(init=False)
    levels: dict[Weight, npt.NDArray[np.integer]] = field(init=False)
    hidden: Floats = field(init=False)
    cells: dict[str, dict[str, Floats]] = field(default_factory=dict)
    n_scored: Floats = field(init=False)
    shown: dict[str, int] = field(default_factory=dict)
    points: list[dict[str, npt.NDArray[Any]]] = field(default_factory=list)
    _windows: int = 0

    def __post_init__(self) -> None:
        self.n_scored = np.zeros(len(self.groups.codes))
        self.seen = np.zeros((2, self.groups.size, 0))
        types: dict[Weight, type[np.integer]] = {"cells": np.int64, "pooled": np.int32}
        self.levels = {weight: np.zeros((self.groups.size, LEVELS, 0), each) for weight, each in types.items()}
        self.hidden = np.zeros((2, self.groups.size, LEVELS, 0))

    def add(self, part: Reconstruction) -> None:
        """Take in a window."""
        if part.tokens is None or not set(HEADS) <= set(part.predictions):
            msg = f"reconstruct: scale 'rank' needs tokens and the heads {', '.join(HEADS)}"
            raise CandidateFailed(msg)
        owner = part.cell_of_entry
        self._learn(part, owner)
        named = part.predictions["token"] == part.tokens
        self.shown["n"] = self.shown.get("n", 0) + int((~part.masked).sum())
        self.shown["token"] = self.shown.get("token", 0) + int(named[~part.masked].sum())
        self.shown[COPY] = self.shown["n"]
        if self.share:
            self._score_hidden(part, owner, named)
        else:
            self._correlate(part, owner)

    def unions(self) -> Iterator[Union]:
        """Yield the unions of all windows again."""
        self.spool.seek(0)
        for _ in range(self._windows):
            yield Union(*(np.load(self.spool, allow_pickle=False) for _ in Union._fields))

    def head(self, statistic: str, name: str, weight: Weight) -> list[float]:
        """Return the mean of a statistic of a head over everybody and without each unit."""
        values = self.cells[statistic][name]
        each = np.where(np.isfinite(values), 1.0 if weight == "cells" or not self.share else self.n_scored, 0.0)
        return self.groups.columns(self.groups.sums(values * each), self.groups.sums(each))

    def copied(self, name: str) -> float:
        """Return the share of the shown tokens that a head fails to name: 0 for a copy."""
        return 1 - self.shown[name] / self.shown["n"] if self.shown.get("n") else float("nan")

    def _learn(self, part: Reconstruction, owner: Codes) -> None:
        assert part.tokens is not None
        group = self.groups.codes[part.cells][owner]
        more = int(part.tokens.max(initial=-1)) + 1 - self.seen.shape[2]
        if more > 0:
            self.seen = np.pad(self.seen, ((0, 0), (0, 0), (0, more)))
            if self.share:
                for weight, table in self.levels.items():
                    self.levels[weight] = np.pad(table, ((0, 0), (0, 0), (0, more)))
                self.hidden = np.pad(self.hidden, ((0, 0), (0, 0), (0, 0), (0, more)))
        n_tokens, above = self.seen.shape[2], part.target > 0
        place = group * n_tokens + part.tokens
        np.add.at(self.seen[0].reshape(-1), place[above], 1.0)
        np.add.at(self.seen[1].reshape(-1), place[above], part.target[above].astype(np.float64))
        if self.share:
            at = self._places(part, group)
            worth = np.rint(UNITS / np.maximum(np.diff(part.offsets), 1)).astype(np.int64)
            np.add.at(self.levels["cells"].reshape(-1), at, worth[owner])
            np.add.at(self.levels["pooled"].reshape(-1), at, 1)

    def _places(self, part: Reconstruction, group: Codes) -> Codes:
        places: Codes = (group * LEVELS + level(part.target)) * self.seen.shape[2] + part.tokens
        return places

    def _score_hidden(self, part: Reconstruction, owner: Codes, named: npt.NDArray[np.bool_]) -> None:
        at = part.masked
        count = np.bincount(owner[at], minlength=len(part.cells)).astype(np.float64)
        self.n_scored[part.cells] = count
        places = self._places(part, self.groups.codes[part.cells][owner])[at]
        np.add.at(self.hidden[0].reshape(-1), places, 1 / count[owner[at]])
        np.add.at(self.hidden[1].reshape(-1), places, 1.0)
        found = {
            "token_accuracy": named[at],
            "token_top10": part.predictions["likelier"][at] < TOP,
            "token_cross_entropy": -part.predictions["log_probability"][at].astype(np.float64),
        }
        for statistic, values in found.items():
            with np.errstate(invalid="ignore"):
                self._note(statistic, "token", part.cells, np.bincount(owner[at], values, len(part.cells)) / count)
        for statistic in STATISTICS[:2]:  # a copy names the mask where a gene is hidden
            self._note(statistic, COPY, part.cells, np.where(count > 0, 0.0, np.nan))

    def _correlate(self, part: Reconstruction, owner: Codes) -> None:
        union = joined(part, owner)
        for array in union:
            np.save(self.spool, array)
        self._windows += 1
        self.n_scored[part.cells] = np.diff(part.offsets)
        self._note("rank_correlation", "token", part.cells, correlations(union.offsets, union.true, union.predicted))
        perfect = correlations(part.offsets, part.target, part.target)
        self._note("rank_correlation", COPY, part.cells, perfect)
        wanted = POINTS * len(part.cells) // len(self.n_scored)
        at = np.linspace(0, len(union.true) - 1, min(wanted, len(union.true))).astype(np.intp)
        group = np.repeat(self.groups.codes[part.cells], np.diff(union.offsets))
        picked: dict[str, npt.NDArray[Any]] = {
            "target": union.true,
            "token": union.predicted,
            "name": union.tokens,
            "group": group,
        }
        self.points.append({name: values[at] for name, values in picked.items()})

    def _note(self, statistic: str, head: str, cells: Codes, values: Floats) -> None:
        heads = self.cells.setdefault(statistic, {})
        heads.setdefault(head, np.full(len(self.n_scored), np.nan))[cells] = values


def level(rank: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """Return which twentieth a rank of 0 to 1 lies in."""
    return np.minimum(np.floor(rank * LEVELS), LEVELS - 1).astype(np.int8)


def joined(part: Reconstruction, owner: Codes) -> Union:
    """Return the outer join of each cell's tokens with the tokens the model names."""
    assert part.tokens is not None
    width = int(max(part.tokens.max(initial=0), part.predictions["token"].max(initial=0))) + 1
    true, named = owner * width + part.tokens, owner * width + part.predictions["token"]
    keys, place = np.unique(np.concatenate([true, named]), return_inverse=True)
    x, total, times = np.zeros(len(keys), np.float32), np.zeros(len(keys)), np.zeros(len(keys))
    x[place[: len(true)]] = part.target * (np.diff(part.offsets) > 1)[owner]  # one token has no ranking
    np.add.at(total, place[len(true) :], part.target.astype(np.float64))
    np.add.at(times, place[len(true) :], 1.0)
    y = np.divide(total, times, out=total, where=times > 0).astype(np.float32)
    offsets = np.searchsorted(keys // width, np.arange(len(part.cells) + 1))
    return Union(part.cells, offsets.astype(np.int64), (keys % width).astype(np.int32), x, y)


def correlations(offsets: npt.NDArray[np.int64], x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Floats:
    """Return Pearson's r of each cell: NaN where ``x`` does not vary, 0 where only ``y`` does not."""
    lengths = np.diff(offsets)
    cell = np.repeat(np.arange(len(lengths)), lengths)

    def summed(values: Floats) -> Floats:
        return np.bincount(cell, values, len(lengths)).astype(np.float64)

    with np.errstate(invalid="ignore", divide="ignore"):
        dx, dy = (each - (summed(each) / lengths)[cell] for each in (x.astype(np.float64), y.astype(np.float64)))
        xx, yy = summed(dx * dx), summed(dy * dy)
        r = summed(dx * dy) / np.sqrt(xx * yy)
    flat = 1e-12 * lengths
    return np.where(xx > flat, np.where(yy > flat, r, 0.0), np.nan)

"""ValueTally: squared errors of predicted values and the moments a baseline is fitted from, a window at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Codes, Floats
from zsgate.metrics.reconstruction.groups import Groups
from zsgate.models.reconstruction import Reconstruction

COPY = "identity_copy"  # a head that returns what it was shown, and the mask where it was shown nothing
MASK = -1.0
POINTS = 100_000  # entries drawn for the figures
Weight = Literal["cells", "pooled"]  # each cell weighs the same, or each entry as in the paper
Kind = Literal["target", "excess"]  # the targets, and what they have over the mean target that their cell shows
WEIGHTS: tuple[Weight, ...] = ("cells", "pooled")
KINDS: tuple[Kind, ...] = ("target", "excess")


@dataclass
class ValueTally:
    """What remains of all windows: sums by cell, by gene, and by group and gene.

    Attributes
    ----------
    groups
        Groups of the cells.
    n_genes
        Columns of the dataset.
    share
        Share of genes that were hidden; with 0 every entry is scored, else the hidden ones.
    fit
        By kind and weighting the weight and the weighted sum of the entries, shown or hidden, each float64
        (2, n_groups, n_genes). What is fitted weighs its entries as the score does, or it minimises another error.
    scored
        The same of the scored entries, and their weighted sum of squares, each float64 (3, n_groups, n_genes).
    errors
        Mean squared error of each cell by head, (n_cells,); NaN where nothing is scored.
    by_gene
        Sum of squared errors of each gene by head, (n_genes,).
    n_scored
        Scored entries of each cell, (n_cells,).
    floor
        Sum of the tokeniser's noise floor over the scored entries of each cell, (n_cells,).
    shown
        Number, sum, sum of squares of the targets shown, and by head the sum of squared errors on them.
    points
        Sampled (target, prediction of each head) of scored entries.
    """

    groups: Groups
    n_genes: int
    share: float
    fit: dict[tuple[Kind, Weight], Floats] = field(init=False)
    scored: dict[tuple[Kind, Weight], Floats] = field(init=False)
    errors: dict[str, Floats] = field(default_factory=dict)
    by_gene: dict[str, Floats] = field(default_factory=dict)
    n_scored: Floats = field(init=False)
    floor: Floats = field(init=False)
    shown: dict[str, Floats] = field(default_factory=dict)
    points: list[dict[str, npt.NDArray[np.float32]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        n_cells, table = len(self.groups.codes), (self.groups.size, self.n_genes)
        self.fit = {each: np.zeros((2, *table)) for each in product(KINDS, WEIGHTS)}
        self.scored = {each: np.zeros((3, *table)) for each in product(KINDS, WEIGHTS)}
        self.n_scored, self.floor = np.zeros(n_cells), np.zeros(n_cells)
        self.shown = {"moments": np.zeros(3)}

    def add(self, part: Reconstruction) -> None:
        """Take in a window."""
        owner = part.cell_of_entry
        scored = part.masked if self.share else np.ones(len(part.target), dtype=bool)
        target = part.target.astype(np.float64)
        count = np.bincount(owner[scored], minlength=len(part.cells)).astype(np.float64)
        self.n_scored[part.cells] = count
        if part.noise_floor is None:
            self.floor[part.cells] = np.nan
        else:
            self.floor[part.cells] = np.bincount(owner[scored], part.noise_floor[scored], len(part.cells))
        self._moments(part, owner, target, scored)
        self._heads(part, owner, target, scored)
        self._draw(part, scored)

    def _moments(self, part: Reconstruction, owner: Codes, target: Floats, scored: npt.NDArray[np.bool_]) -> None:
        place = self.groups.codes[part.cells][owner] * self.n_genes + part.genes
        shown = ~part.masked
        n_shown = np.bincount(owner[shown], minlength=len(part.cells))
        level = np.bincount(owner[shown], target[shown], len(part.cells)) / np.maximum(n_shown, 1)  # 0: nothing shown
        values: dict[Kind, Floats] = {"target": target, "excess": target - level[owner]}
        for tables, at in ((self.fit, np.ones_like(scored)), (self.scored, scored)):
            count = np.bincount(owner[at])
            weights: dict[Weight, Floats] = {"cells": 1 / count[owner[at]], "pooled": np.ones(at.sum())}
            for (kind, weight), table in tables.items():
                for power, row in enumerate(table):
                    np.add.at(row.reshape(-1), place[at], weights[weight] * values[kind][at] ** power)

    def _heads(self, part: Reconstruction, owner: Codes, target: Floats, scored: npt.NDArray[np.bool_]) -> None:
        shown = ~part.masked
        self.shown["moments"] += [np.sum(target[shown] ** power) for power in range(3)]
        heads = {**part.predictions, COPY: np.where(part.masked, MASK, target)}
        for name, predicted in heads.items():
            squares = (predicted.astype(np.float64) - target) ** 2
            sums = np.bincount(owner[scored], squares[scored], len(part.cells))
            with np.errstate(invalid="ignore"):
                of_cells = sums / self.n_scored[part.cells]
            self.errors.setdefault(name, np.full(len(self.n_scored), np.nan))[part.cells] = of_cells
            by_gene = self.by_gene.setdefault(name, np.zeros(self.n_genes))
            np.add.at(by_gene, part.genes[scored], squares[scored])
            self.shown[name] = self.shown.get(name, np.zeros(1)) + squares[shown].sum()

    def _draw(self, part: Reconstruction, scored: npt.NDArray[np.bool_]) -> None:
        """Keep evenly spread entries of the window, so many that all windows together have at most POINTS."""
        at = np.flatnonzero(scored)
        wanted = POINTS * len(part.cells) // len(self.n_scored)
        at = at[np.linspace(0, len(at) - 1, min(wanted, len(at))).astype(np.intp)] if len(at) else at
        self.points.append({"target": part.target[at], **{name: p[at] for name, p in part.predictions.items()}})

    def weights(self, weight: Weight) -> Floats:
        """Return what each group counts for: its scored cells, or its scored entries."""
        return self.groups.sums(np.sign(self.n_scored) if weight == "cells" else self.n_scored)

    def head(self, name: str, weight: Weight) -> list[float]:
        """Return the mean squared error of a head, over everybody and without each unit."""
        cells = self.errors[name] * (1.0 if weight == "cells" else self.n_scored)
        return self.groups.columns(self.groups.sums(cells), self.weights(weight))

    def noise_floor(self, weight: Weight) -> float:
        """Return the mean of the noise floor; NaN where the model states none."""
        there = self.n_scored > 0
        if weight == "cells":
            return float(np.mean(self.floor[there] / self.n_scored[there])) if there.any() else float("nan")
        return float(self.floor.sum() / self.n_scored.sum()) if there.any() else float("nan")

    def copied(self, name: str) -> float:
        """Return the squared error of a head on what it was shown, over the variance there: 0 for a copy."""
        n, total, squares = self.shown["moments"]
        variance = squares - total**2 / n if n else 0.0
        return float(self.shown[name][0] / variance) if variance > 0 else float("nan")

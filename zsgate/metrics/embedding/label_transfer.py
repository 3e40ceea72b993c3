"""Label transfer: whether the cells of other donors tell what type a cell is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells, Codes
from zsgate.metrics.metric import Metric
from zsgate.metrics.neighbours.knn import Neighbours
from zsgate.metrics.removal import Mask, ScoreOf, by_removal
from zsgate.verdict.recipe import Recipe


def transfer(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> ScoreOf:
    """Return what gives the macro-averaged F1 of label transfer among the cells of a mask.

    Each cell takes the most frequent type of its nearest cells of other units, of equally frequent ones the first in
    the alphabet. A type that only one unit has cannot be transferred and does not count.
    """
    nearest = Neighbours(rows, recipe.n_neighbors, foreign=cells.units)
    n_labels = int(cells.labels.max()) + 1

    def score(remaining: Mask) -> float:
        if len(np.unique(cells.units[remaining])) < 2:
            return math.nan
        found, there = nearest.among(remaining)
        votes = np.zeros((len(found), n_labels))
        np.add.at(votes, (np.repeat(np.arange(len(found)), there.sum(axis=1)), cells.labels[found[there]]), 1)
        truth = cells.labels[remaining]
        return _macro_f1(truth, votes.argmax(axis=1), _shared(truth, cells.units[remaining], n_labels))

    return score


def _shared(labels: Codes, units: Codes, n_labels: int) -> npt.NDArray[np.bool_]:
    """Return which labels at least two units have."""
    pairs = np.unique(np.column_stack([labels, units]), axis=0)
    return np.asarray(np.bincount(pairs[:, 0], minlength=n_labels) >= 2)


def _macro_f1(truth: Codes, said: Codes, counted: npt.NDArray[np.bool_]) -> float:
    n_labels = len(counted)
    right = np.bincount(truth[truth == said], minlength=n_labels)
    both = np.bincount(truth, minlength=n_labels) + np.bincount(said, minlength=n_labels)
    if not counted.any():
        return math.nan
    return float(np.mean(2 * right[counted] / both[counted]))


label_transfer = Metric(
    "label_transfer",
    "Label transfer across donors: each cell takes the commonest type of its 15 nearest cells of other donors; "
    "macro-averaged F1 over the types that at least two donors have; 0 to 1, higher is better. Rare types weigh as "
    "much as common ones. Where a dataset speaks for its cells only, groups of cells stand in for donors.",
    by_removal("label_transfer", transfer),
    claim="cell types",
    uses_units=True,
    noise_loses=True,
    advisory=True,
    on_request=True,
)

"""BRAS: the batch silhouette with cosine distances to all other batches, from sums of unit vectors."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells, Codes, Floats
from zsgate.metrics.metric import Metric
from zsgate.metrics.removal import Mask, ScoreOf, by_removal
from zsgate.system import arrays
from zsgate.verdict.recipe import Recipe

ROUNDING = 1e-12  # cosine distances up to here are of cells in the same direction


def mixing(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> ScoreOf:
    """Return what gives the BRAS of the cells of a mask (Rautenstrauch and Ohler 2025).

    As ``batch_score``, but with cosine distances, and the distance of a cell to other batches is its mean distance to
    all of their cells rather than to the nearest batch's. The sum of cosine distances of x to n cells is
    ``n - x . (sum of their unit vectors)``, so no pair of cells is looked at.
    """
    directions: Floats = arrays.empty(rows.shape, np.float64)
    for part in arrays.stretches(directions):
        norms = np.linalg.norm(rows[part].astype(np.float64), axis=1, keepdims=True)
        directions[part] = np.divide(rows[part], norms, out=np.zeros(rows[part].shape), where=norms > 0)

    def score(remaining: Mask) -> float:
        values = [
            _of_type(arrays.take(directions, chosen), cells.batches[chosen])
            for label in np.unique(cells.labels[remaining])
            if len(chosen := np.flatnonzero(remaining & (cells.labels == label)))
        ]
        defined = [value for value in values if not math.isnan(value)]
        return float(np.mean(defined)) if defined else math.nan

    return score


def _of_type(directions: Floats, batches: Codes) -> float:
    """Return the mean of 1 - |s| over the cells of one type; NaN with one batch or as many batches as cells."""
    names, own, sizes = np.unique(batches, return_inverse=True, return_counts=True)
    if not 2 <= len(names) < len(own):
        return math.nan
    member = np.zeros((len(names), len(own)))
    member[own, np.arange(len(own))] = 1
    sums = sizes - directions @ (member @ directions).T
    within_sum = sums[np.arange(len(own)), own]
    itself = 1 - np.einsum("ij,ij->i", directions, directions)  # 0, but for a cell at the origin
    with np.errstate(divide="ignore", invalid="ignore"):
        within = (within_sum - itself) / (sizes[own] - 1)
        between = (sums.sum(axis=1) - within_sum) / (len(own) - sizes[own])
        farther = np.maximum(between, within)
        silhouettes = (between - within) / farther
    silhouettes[(sizes[own] == 1) | ~(farther > ROUNDING)] = 0  # alone in its batch, or all distances are 0
    return float(np.mean(1 - abs(silhouettes)))


bras = Metric(
    "bras",
    "BRAS, the batch-removal adapted silhouette (Rautenstrauch and Ohler 2025): one minus the absolute silhouette of "
    "the batches within a cell type, with cosine distances and the mean distance to all other batches; 0 to 1, higher "
    "is better. It sees nested batches that batch_score misses; like every mixing score it is won by noise, so it "
    "counts only with evidence of cell-type signal.",
    by_removal("bras", mixing),
    claim="batches",
    uses_batches=True,
    advisory=True,
    on_request=True,
)

"""Figures of reconstruction as numbers: densities and per-gene errors, from at most 100,000 points."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Floats
from zsgate.metrics.reconstruction.ranks import RankTally
from zsgate.metrics.reconstruction.values import ValueTally

CELLS = 40  # cells of a density along each axis
GENES = 1_000  # genes of a scatter plot
ENOUGH = 20  # scored entries below which a gene's error is too noisy to draw


class Density(TypedDict):
    """How many points lie in each of 40 x 40 cells, rows upwards; both axes run from ``low`` to ``high``."""

    low: float
    high: float
    counts: list[list[int]]


class GeneErrors(TypedDict):
    """Mean target of some genes, ascending, and by side their mean squared error."""

    mean: list[float]
    errors: dict[str, list[float]]


class Figures(TypedDict, total=False):
    """What is drawn of one pass: densities of target and prediction by head, and the genes' errors."""

    densities: dict[str, Density]
    genes: GeneErrors


def of_values(tally: ValueTally, heads: list[str], gene_errors: Floats) -> Figures:
    """Return a density of target and prediction for each head, and the genes' errors by mean target.

    Parameters
    ----------
    tally
        What remains of the windows.
    heads
        Heads to draw.
    gene_errors
        Squared error of the gene's mean, summed over its scored entries, (n_genes,).
    """
    points = _together(tally.points)
    low, high = _range(points["target"])
    densities = {head: density(points["target"], points[head], low, high) for head in heads}
    n, total, _ = tally.scored["target", "pooled"].sum(axis=1)
    genes = np.flatnonzero(n >= ENOUGH)
    mean = total[genes] / n[genes]
    picked = genes[np.argsort(mean, kind="stable")]
    picked = picked[np.linspace(0, len(picked) - 1, min(GENES, len(picked))).astype(np.intp)]
    errors = {**{head: tally.by_gene[head] for head in heads}, "gene_mean": gene_errors}
    return {
        "densities": densities,
        "genes": {
            "mean": _rounded(total[picked] / n[picked]),
            "errors": {name: _rounded(each[picked] / n[picked]) for name, each in errors.items()},
        },
    }


def of_ranks(tally: RankTally) -> Figures:
    """Return densities of the true rank with the model's and with the average rank of other groups."""
    points = _together(tally.points)
    number, total = np.pad(tally.seen, ((0, 0), (0, 0), (0, _missing(tally, points["name"]))))
    left = number.sum(axis=0)[points["name"]] - number[points["group"], points["name"]]
    rest = total.sum(axis=0)[points["name"]] - total[points["group"], points["name"]]
    average = np.divide(rest, left, out=np.zeros_like(rest), where=left > 0)
    drawn = {"token": points["token"], "average_rank": average}
    return {"densities": {name: density(points["target"], each, 0.0, 1.0) for name, each in drawn.items()}}


def density(x: npt.NDArray[Any], y: npt.NDArray[Any], low: float, high: float) -> Density:
    """Return how many points fall in each of 40 x 40 cells, rows along ``y``; what lies outside is at the edge."""
    edges = np.linspace(low, high, CELLS + 1)
    counts, _, _ = np.histogram2d(np.clip(y, low, high), np.clip(x, low, high), bins=(edges, edges))
    return {"low": low, "high": high, "counts": counts.astype(int).tolist()}


def _range(target: npt.NDArray[Any]) -> tuple[float, float]:
    """Return where nearly all targets lie, wide enough to divide."""
    if not len(target):
        return 0.0, 1.0
    low, high = (float(end) for end in np.quantile(target, (0.0, 0.99)))
    return low, max(high, low + 1.0)


def _together(points: list[dict[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.concatenate([each[name] for each in points]) for name in points[0]}


def _missing(tally: RankTally, tokens: npt.NDArray[Any]) -> int:
    return max(0, int(tokens.max(initial=-1)) + 1 - int(tally.seen.shape[2]))


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.4g}") for value in values]

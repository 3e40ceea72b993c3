"""Metrics computed by scib-metrics (BSD-3-Clause), on exact neighbours; its jax is imported when one is computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells
from zsgate.metrics.metric import Metric
from zsgate.metrics.neighbours import Neighbours
from zsgate.metrics.removal import Maker, Mask, Score, by_removal
from zsgate.recipe import Recipe

PACKAGE = "scib-metrics"
LISI_NEIGHBOURS, KBET_NEIGHBOURS = 90, 50  # a cell itself included, as in scib-metrics' Benchmarker


def _on_neighbours(n_neighbours: int, needs: str, compute: Callable[[Any, Cells, Mask], float]) -> Maker:
    """Return a maker of scores of the nearest ``n_neighbours`` of each remaining cell.

    Parameters
    ----------
    n_neighbours
        Neighbours of a cell, itself included; fewer where there are fewer cells.
    needs
        ``"labels"`` or ``"batches"``: of which at least two must remain.
    compute
        Given scib-metrics' NeighborsResults, all cells and who remains, returns the value.
    """

    def maker(rows: npt.NDArray[np.float32], cells: Cells, _: Recipe) -> Score:
        nearest = Neighbours(rows, min(n_neighbours, cells.n_cells) - 1)

        def score(remaining: Mask) -> float:
            from scib_metrics.nearest_neighbors import NeighborsResults

            if len(np.unique(getattr(cells, needs)[remaining])) < 2:
                return math.nan
            here = np.flatnonzero(remaining)
            found, there = nearest.among(remaining)
            found = found[:, there.all(axis=0)]
            distances = nearest.distances(here, found)
            place = np.cumsum(remaining) - 1
            indices = np.column_stack([np.arange(len(here)), place[found]]).astype(np.int32)
            results = NeighborsResults(indices, np.column_stack([np.zeros(len(here)), distances]).astype(np.float32))
            return float(compute(results, cells, remaining))

        return score

    return maker


def _ilisi(results: Any, cells: Cells, remaining: Mask) -> float:
    from scib_metrics import ilisi_knn

    return float(ilisi_knn(results, cells.batches[remaining]))


def _clisi(results: Any, cells: Cells, remaining: Mask) -> float:
    from scib_metrics import clisi_knn

    return float(clisi_knn(results, cells.labels[remaining]))


def _kbet(results: Any, cells: Cells, remaining: Mask) -> float:
    from scib_metrics import kbet_per_label

    return float(kbet_per_label(results, cells.batches[remaining], cells.labels[remaining]))


ilisi = Metric(
    "ilisi",
    "Integration LISI: the effective number of batches among a cell's 90 nearest, median over cells, scaled to 0..1 "
    "(Korsunsky et al. 2019; scib-metrics); higher is better. Noise wins it, and where batches differ in their cell "
    "types a perfect score is wrong.",
    by_removal("ilisi", _on_neighbours(LISI_NEIGHBOURS, "batches", _ilisi)),
    uses_batches=True,
    advisory=True,
    on_request=True,
    package=PACKAGE,
)
clisi = Metric(
    "clisi",
    "Cell-type LISI: the effective number of cell types among a cell's 90 nearest, median over cells, scaled so that "
    "1 is one type only (Korsunsky et al. 2019; scib-metrics); higher is better. Most embeddings lie near 1, and a "
    "type of fewer than 90 cells cannot reach it.",
    by_removal("clisi", _on_neighbours(LISI_NEIGHBOURS, "labels", _clisi)),
    advisory=True,
    on_request=True,
    package=PACKAGE,
)
kbet = Metric(
    "kbet",
    "kBET: the share of cells whose 50 nearest of their type have the batches in the proportions of all of them, by a "
    "chi-square test at 5 %, mean over cell types (Buttner et al. 2019; scib-metrics); 0 to 1, higher is better. It "
    "is strict: a small shift of proportions rejects, so most embeddings of real data lie near 0. Noise wins it.",
    by_removal("kbet", _on_neighbours(KBET_NEIGHBOURS, "batches", _kbet)),
    uses_batches=True,
    advisory=True,
    on_request=True,
    package=PACKAGE,
)

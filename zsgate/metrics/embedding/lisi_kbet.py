"""Metrics computed by scib-metrics (BSD-3-Clause), on exact neighbours; its jax is imported when one is computed."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells, Codes, Floats
from zsgate.metrics.metric import Metric
from zsgate.metrics.neighbours.knn import Neighbours
from zsgate.metrics.removal import Maker, Mask, ScoreOf, by_removal
from zsgate.verdict.recipe import Recipe

PACKAGE = "scib-metrics"
LISI_NEIGHBOURS, KBET_NEIGHBOURS = 90, 50  # a cell itself included, as in scib-metrics' Benchmarker


def _lisi(of: str) -> Maker:
    """Return a maker of LISI's score: the median effective number of names among a cell's nearest, scaled to 0..1.

    Parameters
    ----------
    of
        ``"batches"``: 1 is all of them alike; ``"labels"``: 1 is one only.
    """

    def maker(rows: npt.NDArray[np.float32], cells: Cells, _: Recipe) -> ScoreOf:
        nearest = Neighbours(rows, min(LISI_NEIGHBOURS, cells.n_cells) - 1)
        names: Codes = getattr(cells, of)

        def score(remaining: Mask) -> float:
            from scib_metrics import lisi_knn
            from scib_metrics.nearest_neighbors import NeighborsResults

            n_names = len(np.unique(names[remaining]))
            if n_names < 2:
                return math.nan
            here, found, distances = _nearest(nearest, remaining)
            # one shape for all masks, for jax compiles a shape anew: who is absent stands in as a copy of the first
            row = np.zeros(cells.n_cells, dtype=np.intp)
            row[here] = np.arange(len(here))
            indices = np.column_stack([here, found])[row].astype(np.int32)
            indices[~remaining, 0] = np.flatnonzero(~remaining)
            around = NeighborsResults(indices, distances[row].astype(np.float32))
            median = float(np.nanmedian(lisi_knn(around, names)[remaining]))
            mixed = (median - 1) / (n_names - 1)
            return mixed if of == "batches" else 1 - mixed

        return score

    return maker


def _kbet(rows: npt.NDArray[np.float32], cells: Cells, _: Recipe) -> ScoreOf:
    """Return what gives scib-metrics' kBET of the cells of a mask."""
    nearest = Neighbours(rows, min(KBET_NEIGHBOURS, cells.n_cells) - 1)

    def score(remaining: Mask) -> float:
        from scib_metrics import kbet_per_label
        from scib_metrics.nearest_neighbors import NeighborsResults

        if len(np.unique(cells.batches[remaining])) < 2:
            return math.nan
        here, found, distances = _nearest(nearest, remaining)
        place = np.cumsum(remaining) - 1
        indices = np.column_stack([np.arange(len(here)), place[found]]).astype(np.int32)
        around = NeighborsResults(indices, distances.astype(np.float32))
        return float(kbet_per_label(around, cells.batches[remaining], cells.labels[remaining]))

    return score


def _nearest(nearest: Neighbours, remaining: Mask) -> tuple[Codes, Codes, Floats]:
    """Return who remains (n,), their nearest (n, k) as positions among all, and the distances (n, 1 + k), own first."""
    here = np.flatnonzero(remaining)
    found, there = nearest.among(remaining)
    found = found[:, there.all(axis=0)]
    return here, found, np.column_stack([np.zeros(len(here)), nearest.distances(here, found)])


ilisi = Metric(
    "ilisi",
    "Integration LISI: the effective number of batches among a cell's 90 nearest, median over cells, scaled to 0..1 "
    "(Korsunsky et al. 2019; scib-metrics); higher is better. Noise wins it, and where batches differ in their cell "
    "types a perfect score is wrong.",
    by_removal("ilisi", _lisi("batches")),
    claim="batches",
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
    by_removal("clisi", _lisi("labels")),
    claim="cell types",
    advisory=True,
    on_request=True,
    package=PACKAGE,
)
kbet = Metric(
    "kbet",
    "kBET: the share of cells whose 50 nearest of their type have the batches in the proportions of all of them, by a "
    "chi-square test at 5 %, mean over cell types (Buttner et al. 2019; scib-metrics); 0 to 1, higher is better. It "
    "is strict: a small shift of proportions rejects, so most embeddings of real data lie near 0. Noise wins it.",
    by_removal("kbet", _kbet),
    claim="batches",
    uses_batches=True,
    advisory=True,
    on_request=True,
    package=PACKAGE,
)

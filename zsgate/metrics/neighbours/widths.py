"""Widths: a compiled loop from sums of distances to silhouettes, with everybody and in all leave-outs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.system.compiled import compiled

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
LANE = 64  # cells at a time: what is summed of them stays in the nearest cache


class Clusters(NamedTuple):
    """Clusters made of groups of cells.

    Attributes
    ----------
    of_groups
        Cluster of each group, shape (n_groups,).
    weights
        Weight of each group's cells, shape (n_groups, n_columns).
    sizes
        Sum of the weights of each cluster's cells, shape (n_clusters, n_columns).
    """

    of_groups: Codes
    weights: Floats
    sizes: Floats


@compiled
def silhouettes(sums: Floats, clusters: Clusters, own: Codes, weights: Floats, rounding: Floats) -> Floats:
    """Return the silhouette of some cells in each column, shape (n_cells, n_columns).

    It is 0 where a cell is alone in its cluster, where there is no other, and where all distances are rounding.

    Parameters
    ----------
    sums
        Sum of the distances of each group's cells to each of these cells, shape (n_groups, n_cells).
    clusters
        Clusters that the groups make.
    own
        Cluster of each of these cells.
    weights
        Weight of each of these cells, shape (n_cells, n_columns).
    rounding
        Distance up to which another cell may coincide with each.
    """
    (n_clusters, n_columns), n_cells = clusters.sizes.shape, len(own)
    widths = np.zeros((n_cells, n_columns))
    for start in range(0, n_cells, LANE):
        lane = slice(start, min(start + LANE, n_cells))
        within, between = np.zeros((n_columns, LANE)), np.full((n_columns, LANE), np.inf)
        totals, group = np.empty((n_columns, LANE)), 0
        for cluster in range(n_clusters):
            totals[:] = 0
            while group < len(sums) and clusters.of_groups[group] == cluster:
                _add(sums[group, lane], clusters.weights[group], totals)
                group += 1
            _compare(totals, clusters.sizes[cluster], own[lane] == cluster, within, between)
        for place in range(lane.stop - start):
            cell = start + place
            for column in range(n_columns):
                others = clusters.sizes[own[cell], column] - weights[cell, column]
                if others > 0 and between[column, place] < np.inf:
                    a, b = within[column, place] / others, between[column, place]
                    if max(a, b) > rounding[cell]:
                        widths[cell, column] = (b - a) / max(a, b)
    return widths


@compiled
def _add(sums: Floats, weights: Floats, totals: Floats) -> None:
    """Add weighted sums of a group to those of its cluster."""
    for column in range(len(weights)):
        weight, total = weights[column], totals[column]
        if weight != 0:
            for place in range(len(sums)):
                total[place] += weight * sums[place]


@compiled
def _compare(totals: Floats, sizes: Floats, own: npt.NDArray[np.bool_], within: Floats, between: Floats) -> None:
    """Take a cluster's sums as those within for its own cells, and its mean as one between for the others."""
    for column in range(len(sizes)):
        if sizes[column] > 0:
            total, mine, nearest, share = totals[column], within[column], between[column], 1 / sizes[column]
            for place in range(len(own)):
                mine[place] = total[place] if own[place] else mine[place]
                nearest[place] = nearest[place] if own[place] else min(nearest[place], total[place] * share)

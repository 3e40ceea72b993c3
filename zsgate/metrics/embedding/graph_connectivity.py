"""Graph metrics: whether the cells of a type hang together in the neighbour graph of the embedding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.metrics.cells import Cells
from zsgate.metrics.metric import Metric
from zsgate.metrics.neighbours.knn import Neighbours
from zsgate.metrics.removal import Mask, ScoreOf, by_removal
from zsgate.verdict.recipe import Recipe


def connectivity(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> ScoreOf:
    """Return what gives the graph connectivity of the cells of a mask.

    The mean over cell types of the share of its cells in the largest connected component of its own sub-graph
    (Luecken et al. 2022), in the graph that joins each cell to its nearest ones.
    """
    nearest = Neighbours(rows, recipe.n_neighbors - 1)

    def score(remaining: Mask) -> float:
        from scipy.sparse.csgraph import connected_components

        found, there = nearest.among(remaining)
        starts = np.repeat(np.flatnonzero(remaining), there.sum(axis=1))
        ends = found[there]
        same = cells.labels[starts] == cells.labels[ends]
        shape = (cells.n_cells, cells.n_cells)
        graph = sp.coo_matrix((np.ones(same.sum()), (starts[same], ends[same])), shape=shape)
        _, component = connected_components(graph, directed=False)
        labels, component = cells.labels[remaining], component[remaining]
        table = sp.coo_matrix((np.ones(len(labels)), (labels, component))).tocsr()
        sizes = np.asarray(table.sum(axis=1)).ravel()
        largest = table.max(axis=1).toarray().ravel()
        return float(np.mean(largest[sizes > 0] / sizes[sizes > 0]))

    return score


graph_connectivity = Metric(
    "graph_connectivity",
    "Graph connectivity: the share of a cell type's cells that hang together in the 15-nearest-neighbour graph, "
    "averaged over cell types (Luecken et al. 2022); 0 to 1, higher is better. It asks only whether a type falls "
    "apart, not whether types mix, so one blob of all cells scores high, and most embeddings lie above 0.9.",
    by_removal("graph_connectivity", connectivity),
    claim="cell types",
    advisory=True,
    on_request=True,
)

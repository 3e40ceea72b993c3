"""Clustering: Louvain on the k-nearest-neighbour graph of the embedding at hand.

The graph is built from the embedding's own neighbours and never read from an AnnData: a stale graph gave a
random embedding NMI 1.0 (theislab/scib issue 389). Louvain (Blondel et al. 2008) is igraph's
``community_multilevel`` with Reichardt and Bornholdt's resolution, the objective of the paper's clusterer.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.system import arrays

if TYPE_CHECKING:
    import igraph

Partition = npt.NDArray[np.int32]
_one_at_a_time = threading.Lock()  # igraph's generator belongs to the whole process


@dataclass(frozen=True)
class NeighbourGraph:
    """Undirected, unweighted graph of cells: an edge where either is among the other's nearest.

    Vertices are in the order of the embedding's bytes, so the order of the cells changes no partition, but for cells
    whose embeddings are exactly the same.

    Attributes
    ----------
    edges
        Pairs of vertices, shape (n_edges, 2).
    order
        Cell of each vertex, shape (n_cells,).
    content
        SHA-256 of the sorted embedding; it keys the random draws.
    """

    edges: npt.NDArray[np.intp]
    order: npt.NDArray[np.intp]
    content: str

    @cached_property
    def graph(self) -> igraph.Graph:
        """The igraph graph."""
        import igraph

        return igraph.Graph(n=len(self.order), edges=self.edges)

    @classmethod
    def of(cls, rows: npt.NDArray[np.float32], neighbours: npt.NDArray[np.integer]) -> NeighbourGraph:
        """Return the graph of an embedding (n_cells, n_dimensions) and the neighbours of each cell."""
        whole = np.ascontiguousarray(rows)
        order = np.argsort(whole.view(f"V{whole.shape[1] * whole.itemsize}").ravel(), kind="stable")
        vertex = np.empty_like(order)
        vertex[order] = np.arange(len(order))
        ends = vertex[neighbours].ravel()
        starts = np.repeat(vertex, neighbours.shape[1])
        pairs = np.unique(np.minimum(starts, ends) * len(order) + np.maximum(starts, ends))
        edges = np.column_stack(np.divmod(pairs, len(order)))
        content = hashlib.sha256(repr(whole.shape).encode())
        for part in arrays.stretches(whole):
            content.update(whole[order[part]].data)
        return cls(edges, order, content.hexdigest())

    def louvain(self, resolutions: Sequence[float], seed: int) -> list[Partition]:
        """Return the cluster of each cell at each resolution, shapes (n_cells,).

        Draws depend on the embedding, the seed and the resolution only. igraph draws from one generator per
        process: it is replaced while clustering, one clustering at a time, and set back to Python's
        ``random`` module, its default, whose state is left as it was.
        """
        import igraph

        partitions = []
        with _one_at_a_time:
            try:
                for resolution in resolutions:
                    key = f"{self.content}/{seed}/{resolution}".encode()
                    generator = random.Random(hashlib.sha256(key).digest())
                    igraph.set_random_number_generator(generator)
                    found = self.graph.community_multilevel(resolution=resolution)
                    partition = np.empty(len(self.order), dtype=np.int32)
                    partition[self.order] = found.membership
                    partitions.append(partition)
            finally:
                igraph.set_random_number_generator(random)
        return partitions

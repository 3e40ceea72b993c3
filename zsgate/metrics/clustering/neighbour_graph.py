"""Neighbour graph of an embedding, and its clusters.

The graph is built from the embedding's own neighbours and never read from an AnnData: a stale graph gave a
random embedding NMI 1.0 (theislab/scib issue 389).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cache import Recent
from zsgate.metrics.clustering.graph import Graph, Partition

ROOM = 1 << 27  # bytes of partitions that are remembered: of two embeddings of half a million cells
Numbers = npt.NDArray[np.unsignedinteger]
_PARTITIONS: Recent[Numbers] = Recent(ROOM, lambda partition: partition.nbytes)


@dataclass(frozen=True)
class NeighbourGraph:
    """Undirected, unweighted graph of cells: an edge where either is among the other's nearest.

    Vertices are in the order of the embedding's bytes, so the order of the cells changes no partition, but for cells
    whose embeddings are exactly the same.

    Attributes
    ----------
    graph
        The graph.
    order
        Cell of each vertex, shape (n_cells,).
    content
        SHA-256 of the graph; it keys the random draws.
    """

    graph: Graph
    order: npt.NDArray[np.intp]
    content: str

    @classmethod
    def of(cls, rows: npt.NDArray[np.float32], neighbours: npt.NDArray[np.integer]) -> NeighbourGraph:
        """Return the graph of an embedding (n_cells, n_dimensions) and the neighbours of each cell."""
        whole = np.ascontiguousarray(rows)
        order = np.argsort(whole.view(f"V{whole.shape[1] * whole.itemsize}").ravel(), kind="stable")
        vertex = np.empty(len(order), dtype=np.int32)
        vertex[order] = np.arange(len(order))
        graph = Graph.joining(vertex[neighbours[order]])
        return cls(graph, order, graph.digest)

    def partition(self, resolution: float, seed: int) -> Partition:
        """Return the cluster of each cell at one resolution, shape (n_cells,).

        Draws depend on the graph, the seed and the resolution only.
        """
        return self._of_cells(self._of_vertices(self._key(resolution, seed), resolution))

    def recalled(self, resolution: float, seed: int) -> Partition:
        """Return the same, remembered for graphs to come that are equal: that of the same rows dealt to other cells."""
        key = self._key(resolution, seed)
        return self._of_cells(_PARTITIONS.get(key, lambda: self._of_vertices(key, resolution)))

    def _key(self, resolution: float, seed: int) -> str:
        return f"{self.content}/{seed}/{float(resolution)}"

    def _of_vertices(self, key: str, resolution: float) -> Numbers:
        """Return the cluster of each vertex, in as few bytes as hold the largest number."""
        from zsgate.metrics.clustering.louvain import louvain  # numba: suites import metrics when they are collected

        drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
        found = louvain(self.graph, resolution, drawn)
        return found.astype(np.min_scalar_type(found.max(initial=0)))

    def _of_cells(self, numbers: Numbers) -> Partition:
        partition = np.empty(len(self.order), dtype=np.int32)
        partition[self.order] = numbers
        return partition

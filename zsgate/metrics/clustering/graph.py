"""Graph: undirected, with weights or without, in compressed rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import scipy.sparse as sp

Partition = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


class Graph(NamedTuple):
    """Undirected graph without loops; every edge stands in the rows of both of its ends.

    A tuple, so that compiled code takes it as it is.

    Attributes
    ----------
    starts
        Where the row of each vertex begins, and where the last one ends, shape (n_vertices + 1,).
    ends
        The other ends of its edges, row by row, shape (2 * n_edges,).
    weights
        Weights above 0 in the order of ``ends``; a single one where all edges weigh the same, to read less.
    """

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int32]
    weights: Floats

    @classmethod
    def of(cls, n_vertices: int, edges: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Graph:
        """Return the graph of pairs of vertices.

        Weights of parallel edges add up, and an edge of weight 0 is none.

        Parameters
        ----------
        n_vertices
            Number of vertices.
        edges
            Pairs of vertices, shape (n_edges, 2).
        weights
            Weight of each edge, shape (n_edges,); None gives each 1.

        Raises
        ------
        ValueError
            If an end is no vertex, both ends are the same one, or weights are negative or not finite, be it their sum.
        """
        import scipy.sparse as sp

        first, second = np.asarray(edges, dtype=np.int64).reshape(-1, 2).T
        weight = np.ones(len(first)) if weights is None else np.asarray(weights, dtype=np.float64)
        if len(first) and not 0 <= min(first.min(), second.min()) <= max(first.max(), second.max()) < n_vertices:
            msg = f"edges join vertices 0 to {n_vertices - 1} only"
            raise ValueError(msg)
        if (first == second).any():
            msg = "an edge joins two vertices; a loop does not"
            raise ValueError(msg)
        if weight.shape != first.shape or not (weight >= 0).all() or not np.isfinite(4 * weight.sum()):
            msg = f"weights are {len(first)} numbers, one an edge, that are not negative and have a finite sum"
            raise ValueError(msg)
        one_way = sp.coo_array((weight, (first, second)), shape=(n_vertices, n_vertices)).tocsr()
        return cls._of_matrix(one_way + one_way.T)

    @classmethod
    def joining(cls, nearest: npt.NDArray[np.integer]) -> Graph:
        """Return the graph with an edge where either of two vertices is among the other's nearest.

        Parameters
        ----------
        nearest
            Other vertices that each is joined to, shape (n_vertices, n_nearest).
        """
        import scipy.sparse as sp

        n_vertices, n_nearest = nearest.shape
        rows = np.arange(0, nearest.size + 1, n_nearest)
        joined = sp.csr_array((np.ones(nearest.size, np.bool_), nearest.ravel(), rows), shape=(n_vertices, n_vertices))
        return cls._of_matrix(joined + joined.T)

    @classmethod
    def _of_matrix(cls, adjacency: sp.csr_array) -> Graph:
        adjacency.eliminate_zeros()
        adjacency.sort_indices()
        weights = adjacency.data.astype(np.float64)
        weights = weights[:1] if (weights == weights[:1]).all() else weights
        return cls(adjacency.indptr.astype(np.int64), adjacency.indices.astype(np.int32), weights)

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.starts) - 1

    @property
    def digest(self) -> str:
        """SHA-256 of the graph."""
        sha = hashlib.sha256()
        for part in self:
            sha.update(len(part).to_bytes(8, "little") + part.tobytes())
        return sha.hexdigest()

    def modularity(self, partition: npt.NDArray[np.integer], resolution: float) -> float:
        """Return the modularity of a partition (n_vertices,); NaN without edges.

        The share of the weight within clusters, less ``resolution`` times what is expected where edges join ends at
        random: the sum over clusters of the squared share of their degrees (Reichardt and Bornholdt 2006).
        """
        ends = np.repeat(partition, np.diff(self.starts))
        if not len(self.ends):
            return float("nan")
        weights = np.broadcast_to(self.weights, self.ends.shape)
        total = weights.sum()
        within = weights[ends == partition[self.ends]].sum() / total
        shares = np.bincount(ends, weights) / total
        return float(within - resolution * (shares**2).sum())

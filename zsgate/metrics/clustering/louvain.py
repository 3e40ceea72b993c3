"""Louvain (Blondel et al. 2008), compiled: clusters of a graph that maximise Reichardt and Bornholdt's modularity.

The vertices, in random order, move to the neighbouring cluster that gains most; the clusters then become the vertices
of a smaller graph, until none moves. After the first round only vertices are looked at again whose neighbours have
moved (Ozaki et al. 2016). In the last round nothing moves, so no two clusters gain by merging.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.metrics.clustering.graph import Floats, Graph, Partition
from zsgate.system.compiled import compiled
from zsgate.system.hashing import mix

ROUNDING = 1e-12  # a gain of so small a share of what it is made of is none, or two vertices might swap for ever
Vertices = npt.NDArray[np.int32]

mixed = compiled(mix)


class Clusters(NamedTuple):
    """Clusters of vertices while these move, under numbers below that of the vertices.

    ``of`` holds the cluster of each vertex, ``degrees`` that of each vertex, ``totals`` the sum of them in each
    cluster. ``links`` and ``met`` are room for the clusters around one vertex: the weight that joins it to each of
    them, 0 between two vertices, and their numbers.
    """

    of: Vertices
    degrees: Floats
    totals: Floats
    links: Floats
    met: Vertices


def louvain(graph: Graph, resolution: float, seed: int) -> Partition:
    """Return the cluster of each vertex, shape (n_vertices,), numbered in the order of their first vertices.

    It is the same on every machine: all sums are in a fixed order, and random numbers depend on the seed alone.

    Parameters
    ----------
    graph
        What to cluster; a vertex without edges is a cluster of its own.
    resolution
        Factor of the expected weight within clusters, at least 0; the higher, the smaller they are.
    seed
        Below 2 ** 64.

    Raises
    ------
    ValueError
        If the resolution is negative or not finite.
    """
    if not 0 <= resolution < math.inf:
        msg = f"a resolution is a number of at least 0, not {resolution}"
        raise ValueError(msg)
    return _clustered(graph, float(resolution), np.uint64(seed))


@compiled
def _clustered(graph: Graph, resolution: float, key: np.uint64) -> Partition:
    """Return the cluster of each vertex."""
    found = np.arange(len(graph.starts) - 1).astype(np.int32)
    degrees = _degrees(graph)
    total = 0.0
    for degree in degrees:
        total += degree
    if total == 0:
        return found
    while True:
        n_vertices = len(degrees)
        alone = np.arange(n_vertices).astype(np.int32)
        clusters = Clusters(alone, degrees, degrees.copy(), np.zeros(n_vertices), np.empty(n_vertices + 1, np.int32))
        key = mixed(key)
        if not _settle(graph, clusters, resolution / total, _shuffled(n_vertices, key)):
            return found
        n_clusters = _renumber(clusters.of)
        for vertex in range(len(found)):
            found[vertex] = clusters.of[found[vertex]]
        graph, degrees = _merged(graph, clusters, n_clusters)


@compiled
def _settle(graph: Graph, clusters: Clusters, scale: float, queue: Vertices) -> bool:
    """Move vertices, in the order of the queue, until none gains by it; return whether any has moved.

    Of equal gains the first one met counts. It is one function because calls in the innermost loops double the time.
    """
    (starts, ends, weights), (of, degrees, totals, links, met) = graph, clusters
    own_weights, size = int(len(weights) > 1), len(queue)
    head, n_waiting, waits, any_moved = 0, size, np.ones(size, np.bool_), False
    while n_waiting:
        vertex = queue[head]
        head = head + 1 if head + 1 < size else 0
        n_waiting, waits[vertex] = n_waiting - 1, False
        own, degree, n_met = of[vertex], degrees[vertex], 0
        for edge in range(starts[vertex], starts[vertex + 1]):
            cluster = of[ends[edge]]
            met[n_met] = cluster  # overwritten next if it was met before: a branch would often be guessed wrong
            n_met += links[cluster] == 0
            links[cluster] += weights[edge * own_weights]
        expected, others = degree * scale, totals[own] - degree
        best, most = own, links[own] - expected * others + ROUNDING * (degree + expected * others)
        for place in range(n_met):
            cluster = met[place]
            gain = links[cluster] - expected * totals[cluster]  # of its own it is too low, and never above
            links[cluster] = 0
            if gain > most:
                best, most = cluster, gain
        if best == own:
            continue
        totals[own] -= degree
        totals[best] += degree
        of[vertex], any_moved = best, True
        for other in ends[starts[vertex] : starts[vertex + 1]]:
            if of[other] != best and not waits[other]:
                waits[other] = True
                place = head + n_waiting
                queue[place if place < size else place - size] = other
                n_waiting += 1
    return any_moved


@compiled
def _merged(graph: Graph, clusters: Clusters, n_clusters: int) -> tuple[Graph, Floats]:
    """Return the graph whose vertices are the clusters, without what is inside them, and their degrees."""
    (starts, ends, weights), of, links = graph, clusters.of, clusters.links
    members, bounds = _by_cluster(of, n_clusters)
    rows, degrees = np.zeros(n_clusters + 1, np.int64), np.zeros(n_clusters)
    others, sums = np.empty(len(ends) + 1, np.int32), np.empty(len(ends))
    own_weights, place = int(len(weights) > 1), 0
    for cluster in range(n_clusters):
        links[cluster] = 1  # as if met before, so that its inside is left out
        for member in members[bounds[cluster] : bounds[cluster + 1]]:
            degrees[cluster] += clusters.degrees[member]
            for edge in range(starts[member], starts[member + 1]):
                other = of[ends[edge]]
                others[place] = other
                place += links[other] == 0
                links[other] += weights[edge * own_weights]
        links[cluster] = 0
        for edge in range(rows[cluster], place):
            sums[edge] = links[others[edge]]
            links[others[edge]] = 0
        rows[cluster + 1] = place
    return Graph(rows, others[:place].copy(), sums[:place].copy()), degrees


@compiled
def _by_cluster(of: Vertices, n_clusters: int) -> tuple[Vertices, npt.NDArray[np.int64]]:
    """Return the vertices sorted by cluster, and where each cluster begins and the last one ends."""
    bounds = np.zeros(n_clusters + 1, np.int64)
    for cluster in of:
        bounds[cluster + 1] += 1
    bounds = np.cumsum(bounds)
    members, place = np.empty(len(of), np.int32), bounds.copy()
    for vertex in range(len(of)):
        members[place[of[vertex]]] = vertex
        place[of[vertex]] += 1
    return members, bounds


@compiled
def _renumber(of: Vertices) -> int:
    """Give the clusters the numbers 0, 1, ... in the order of their first vertices; return how many there are."""
    number, n_clusters = np.full(len(of), -1, np.int32), 0
    for vertex in range(len(of)):
        if number[of[vertex]] < 0:
            number[of[vertex]] = n_clusters
            n_clusters += 1
        of[vertex] = number[of[vertex]]
    return n_clusters


@compiled
def _degrees(graph: Graph) -> Floats:
    """Return the sum of the weights at each vertex."""
    degrees, own_weights = np.zeros(len(graph.starts) - 1), int(len(graph.weights) > 1)
    for vertex in range(len(degrees)):
        for edge in range(graph.starts[vertex], graph.starts[vertex + 1]):
            degrees[vertex] += graph.weights[edge * own_weights]
    return degrees


@compiled
def _shuffled(n: int, key: np.uint64) -> Vertices:
    """Return 0 to n - 1 in random order (Fisher and Yates)."""
    order = np.arange(n).astype(np.int32)
    for last in range(n - 1, 0, -1):
        other = np.int64(mixed(key + np.uint64(last)) % np.uint64(last + 1))
        order[last], order[other] = order[other], order[last]
    return order

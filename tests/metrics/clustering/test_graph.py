"""Graphs are what was asked for, and their modularity is igraph's."""

from __future__ import annotations

import igraph
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.metrics.clustering.graph import Graph

PAIRS = st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1])
EDGES = st.lists(st.tuples(PAIRS, st.sampled_from([0, 0.5, 1, 1, 1, 3, 1e-3])), max_size=40)


def adjacency(graph: Graph) -> np.ndarray:
    """Return the weights as a square array."""
    square = np.zeros((graph.n_vertices, graph.n_vertices))
    rows = np.repeat(np.arange(graph.n_vertices), np.diff(graph.starts))
    square[rows, graph.ends] = graph.weights
    return square


@settings(deadline=None)
@given(EDGES, st.booleans())
def test_edges_are_kept_with_their_weights(edges, weighted):
    """Both ways, parallel ones summed, none of weight 0, the ends of each vertex in order."""
    pairs, weights = [pair for pair, _ in edges], [weight if weighted else 1 for _, weight in edges]
    graph = Graph.of(10, pairs, weights if weighted else None)
    expected = np.zeros((10, 10))
    for (one, other), weight in zip(pairs, weights, strict=True):
        expected[one, other] += weight
        expected[other, one] += weight
    np.testing.assert_allclose(adjacency(graph), expected, rtol=1e-15)
    assert len(graph.ends) == (expected > 0).sum()
    for start, stop in zip(graph.starts[:-1], graph.starts[1:], strict=True):
        assert (np.diff(graph.ends[start:stop]) > 0).all()


@settings(deadline=None)
@given(EDGES, st.lists(st.integers(0, 4), min_size=10, max_size=10), st.floats(0, 5))
def test_modularity_is_igraphs(edges, partition, resolution):
    """Within 1e-12, with weights, with empty clusters and without edges."""
    kept = [(pair, weight) for pair, weight in edges if weight]
    theirs = igraph.Graph(n=10, edges=[pair for pair, _ in kept])
    expected = theirs.modularity(partition, weights=[weight for _, weight in kept], resolution=resolution)
    graph = Graph.of(10, [pair for pair, _ in edges], [weight for _, weight in edges])
    assert graph.modularity(np.array(partition), resolution) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_neighbours_are_joined(seed, n_vertices):
    """Where either is among the other's nearest, once, with weight 1."""
    rng = np.random.default_rng(seed)
    others = np.array([rng.permutation(np.delete(np.arange(n_vertices), v)) for v in range(n_vertices)])
    nearest = others[:, : rng.integers(1, n_vertices)].astype(np.int32)
    expected = np.zeros((n_vertices, n_vertices))
    expected[np.arange(n_vertices)[:, None], nearest] = 1
    np.testing.assert_array_equal(adjacency(Graph.joining(nearest)), np.maximum(expected, expected.T))


def test_equal_graphs_have_one_digest():
    """However they were given; another weight, edge or vertex is another graph."""
    path = Graph.of(4, [(0, 1), (1, 2)])
    assert Graph.of(4, [(2, 1), (1, 0)], [1, 1]).digest == path.digest
    others = [Graph.of(4, [(0, 1), (1, 2)], [1, 2]), Graph.of(4, [(0, 1), (1, 3)]), Graph.of(5, [(0, 1), (1, 2)])]
    assert len({graph.digest for graph in (path, *others)}) == 4


@pytest.mark.parametrize(
    ("edges", "weights", "words"),
    [
        ([(0, 3)], None, "vertices 0 to 2"),
        ([(-1, 0)], None, "vertices 0 to 2"),
        ([(1, 1)], None, "a loop"),
        ([(0, 1)], [-1], "not negative"),
        ([(0, 1)], [np.nan], "not negative"),
        ([(0, 1)], [np.inf], "finite"),
        ([(0, 1), (1, 2)], [1e308, 1e308], "finite"),
        ([(0, 1)], [1, 2], "1 numbers"),
    ],
)
def test_what_is_no_graph_is_refused(edges, weights, words):
    """Ends that are no vertices, loops, and weights that give no sum."""
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=words):
        Graph.of(3, edges, weights)

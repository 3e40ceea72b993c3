"""Cells with exactly the same embedding: any of them are neighbours, none is a hub, and no structure comes of it."""

from __future__ import annotations

import numpy as np
import pytest

from zsgate.metrics import METRICS
from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.distance_pass import distance_pass
from zsgate.metrics.neighbours.knn import Neighbours
from zsgate.metrics.neighbours.ties import copies


def mostly_equal(n_cells: int, share: float) -> np.ndarray:
    """Return noise in which a share of the rows is one and the same."""
    generator = np.random.default_rng(3)
    rows = generator.normal(size=(n_cells, 8)).astype(np.float32)
    rows[generator.permutation(n_cells)[: round(share * n_cells)]] = 3.3
    return rows


@pytest.mark.parametrize("rest", [1, 0.03, 0.5])
def test_equal_rows_score_as_noise_does(pancreas, rest):
    """All rows but one, 97 % and half of them equal: nmi and F1 of isolated labels are those of noise."""
    n_cells = len(pancreas.labels)
    rows = mostly_equal(n_cells, 1 - (rest if rest < 1 else 1 / n_cells))

    assert METRICS["nmi"](rows, pancreas.dataset, seeds=1).value < 0.1
    assert METRICS["isolated_labels_f1"](rows, pancreas.dataset, seeds=1).value < 0.2
    assert METRICS["label_transfer"](rows, pancreas.dataset).value < 0.2


def test_one_point_a_type_is_perfect(pancreas):
    """Where the cells of a type are copies of each other and of nobody else, every type is found."""
    rows = np.eye(20)[np.unique(pancreas.labels, return_inverse=True)[1]]

    for name in ("nmi", "ari", "graph_connectivity", "label_transfer", "isolated_labels_f1"):
        score = METRICS[name](rows, pancreas.dataset, **({"seeds": 1} if METRICS[name].clusters else {}))
        assert score.value == pytest.approx(1)


def test_only_more_copies_than_neighbours_are_drawn_from(pancreas):
    """Real cells have none; k + 1 equal rows are each other's k neighbours anyway; a zero has no sign."""
    rows = pancreas.embedding.copy()
    assert not list(copies(rows, 14))
    rows[5:200:13] = 0
    rows[5] = -0.0
    (group,) = copies(rows, 14)
    np.testing.assert_array_equal(np.sort(group.cells), np.arange(5, 200, 13))
    assert not list(copies(rows, 15))


def test_nobody_is_a_hub(pancreas):
    """Each copy has k others, and is a neighbour of as many copies; both searches find the same."""
    rows = mostly_equal(400, 0.75)
    cells = Cells.of(pancreas.labels[:400])
    equal = np.flatnonzero((rows == np.float32(3.3)).all(axis=1))
    near = distance_pass(rows, cells, 14).neighbours
    search = Neighbours(rows, 14)
    found, _ = search.among(np.ones(400, dtype=bool))

    assert all(len(set(mine) - {cell}) == 14 for cell, mine in enumerate(near))
    np.testing.assert_array_equal(np.bincount(near[equal].ravel(), minlength=400)[equal], 14)
    np.testing.assert_array_equal(np.sort(near[equal]), np.sort(found[equal]))
    np.testing.assert_array_equal(search.distances(equal, found[equal]), 0)


def test_copies_are_found_among_who_remains_and_of_other_donors(pancreas):
    """Without most of the copies, and with those of the own donor not counting, no neighbour is farther than needed."""
    rows, donors = mostly_equal(400, 0.75), np.unique(pancreas.donors[:400], return_inverse=True)[1]
    equal = (rows == np.float32(3.3)).all(axis=1)
    remaining = np.arange(400) % 7 < 2
    here = np.flatnonzero(remaining)
    found, there = Neighbours(rows, 14, foreign=donors).among(remaining)

    assert there.all()
    assert remaining[found].all()
    assert (donors[found] != donors[here, None]).all()
    assert equal[found[equal[here]]].all()
    assert np.bincount(found[equal[here]].ravel()).max() < 60  # a hub has all 86


@pytest.mark.parametrize("shift", [0, 3.3, 1000])
@pytest.mark.parametrize("n_dimensions", [3, 500])
def test_a_silhouette_of_cells_that_coincide_is_0(pancreas, n_dimensions, shift):
    """One point a type, near the origin or far from it: within a type batches have no distance, and mix perfectly."""
    types = np.unique(pancreas.labels, return_inverse=True)[1]
    points = np.random.default_rng(5).normal(size=(types.max() + 1, n_dimensions)) + shift

    assert METRICS["batch_score"](points[types], pancreas.dataset).value == 1
    assert METRICS["bras"](points[types], pancreas.dataset).value == 1
    assert METRICS["asw"](points[types], pancreas.dataset).value == pytest.approx(1, abs=1e-6)


def test_what_nearly_coincides_is_told_apart():
    """Batches a thousandth of a norm apart, and within a batch ten thousandths of that, do not mix at all."""
    generator = np.random.default_rng(6)
    labels, batches = np.arange(200) % 2, np.arange(200) // 2 % 2
    rows = np.eye(4)[labels] + 1e-3 * np.eye(4)[2 + batches] + 1e-6 * generator.normal(size=(200, 4))

    assert METRICS["batch_score"](rows, labels, batches=batches).value < 0.01
    assert METRICS["bras"](rows, labels, batches=batches).value < 0.01

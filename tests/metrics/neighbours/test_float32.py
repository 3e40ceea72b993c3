"""The float32 pass equals distances taken pair by pair in float64, on real cells and on data made to break it."""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.distance_pass import distance_pass
from zsgate.metrics.neighbours import float32, kernel
from zsgate.metrics.neighbours.distances import distance_blocks
from zsgate.metrics.neighbours.settle import settle
from zsgate.metrics.neighbours.widths import Clusters, silhouettes

A_CELL, MEAN = 1e-6, 1e-7
K = 14


def measured(rows, labels, n_nearest=K):
    """Return the sums of distances to each label, and the neighbours, of cells sorted by label."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    found = list(distance_blocks(rows, starts, starts, n_nearest=n_nearest))
    assert [block.start for block in found[1:]] == [block.stop for block in found[:-1]]
    return np.concatenate([block.sums for block in found]), np.concatenate([block.neighbours for block in found])


def pair_by_pair(rows, labels):
    """Return the same sums, and all distances, in float64."""
    distances = cdist(rows.astype(np.float64), rows.astype(np.float64))
    return np.add.reduceat(distances, np.flatnonzero(np.diff(labels, prepend=-1)), axis=1), distances


def widths(sums, labels):
    """Return the silhouette of each cell."""
    n_labels = labels[-1] + 1
    clusters = Clusters(np.arange(n_labels), np.ones((n_labels, 1)), np.bincount(labels).astype(float)[:, None])
    nothing = np.zeros(len(labels))
    return silhouettes(np.ascontiguousarray(sums.T), clusters, labels, np.ones((len(labels), 1)), nothing)[:, 0]


def assert_exact(rows, labels, n_nearest=K):
    """Scores within the bounds of this file, and distances to the neighbours equal."""
    sums, near = measured(rows, labels, n_nearest)
    true_sums, distances = pair_by_pair(rows, labels)
    ours, theirs = widths(sums, labels), widths(true_sums, labels)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=A_CELL)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=MEAN)
    found = np.sort(np.take_along_axis(distances, near, axis=1), axis=1)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(found, np.sort(distances, axis=1)[:, :n_nearest], rtol=1e-12)
    assert all(len(set(mine) - {cell}) == n_nearest for cell, mine in enumerate(near))


def far_out(rows, which, away):
    """Return rows of which some lie so many times further away."""
    rows[which] *= away
    return rows


def copied(rows, which, one):
    """Return rows of which some are copies of others."""
    rows[which] = rows[one]
    return rows


def tight(rows, groups):
    """Return clusters 1e-5 wide, about 1 apart."""
    centres = np.random.default_rng(1).normal(size=(groups.max() + 1, rows.shape[1]))
    return centres[groups] + 1e-5 * rows / rows.std()


ODD, DEALT = slice(1, None, 2), np.random.default_rng(2).permutation(1092)
NASTY = {
    "real": lambda rows, labels: rows,
    "dealt to other cells": lambda rows, labels: rows[DEALT],
    "1e5 from the origin": lambda rows, labels: rows + 1e5,
    "clusters 1e-5 wide": tight,
    "clusters that labels do not follow": lambda rows, labels: tight(rows, labels)[DEALT],
    "every second a copy of the one before": lambda rows, labels: copied(rows, ODD, slice(0, None, 2)),
    "half of them one point": lambda rows, labels: copied(rows, DEALT[:546], 0),
    "one outlier of 1e4": lambda rows, labels: far_out(rows, 7, 1e4),
    "ten outliers of 1e4": lambda rows, labels: far_out(rows, DEALT[:10], 1e4),
    "one outlier of 1e12": lambda rows, labels: far_out(rows, 7, 1e12),
    "one outlier of 1e33": lambda rows, labels: far_out(rows, 7, 1e33),
    "squares above float32": lambda rows, labels: rows * 1e25,
    "squares below float32": lambda rows, labels: rows * 1e-25,
    "subnormal": lambda rows, labels: rows * 1e-41,
    "ties": lambda rows, labels: np.round(rows[:, :4] / 8),
    "one-hot, cells alike but of other types": lambda rows, labels: np.eye(1092)[:, :300] + 0 * rows[:, :1],
    "a constant column at 1e10": lambda rows, labels: np.column_stack([rows, np.full(len(rows), 1e10)]),
    "one dimension": lambda rows, labels: rows[:, :1],
    "two dimensions": lambda rows, labels: rows[:, :2],
}


@pytest.fixture(scope="module")
def real(pancreas):
    """Return 1,092 real cells in 50 components and their labels, sorted by these."""
    labels = np.unique(pancreas.labels, return_inverse=True)[1]
    order = np.argsort(labels, kind="stable")
    return pancreas.embedding[order], labels[order]


@pytest.mark.parametrize("panels", [False, True])
@pytest.mark.parametrize("case", NASTY)
def test_it_equals_float64_pair_by_pair(real, monkeypatch, case, panels):
    """1e-6 a cell, 1e-7 the mean, exact neighbours; with each pair taken once, and with room for few sums."""
    rows, labels = real
    if panels:
        monkeypatch.setattr(float32, "SUMS_BYTES", 1)
    assert_exact(NASTY[case](rows.copy(), labels).astype(np.float32), labels)


@pytest.mark.parametrize("n_cells", [2, 3, 15, 129, 513])
@pytest.mark.parametrize("n_dimensions", [1, 7])
def test_few_cells(n_cells, n_dimensions):
    """Fewer cells than neighbours, than a tile has rows, and one more."""
    rows = np.random.default_rng(n_cells).normal(size=(n_cells, n_dimensions)).astype(np.float32)
    assert_exact(rows, np.arange(n_cells) * 2 // n_cells, min(K, n_cells - 1))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_cells=st.integers(4, 700),
    n_dimensions=st.integers(1, 20),
    spread=st.floats(1e-6, 1e6),
    n_points=st.integers(1, 50),
)
def test_any_mixture_of_scales_is_exact(seed, n_cells, n_dimensions, spread, n_points):
    """Points of any spread, and cells around them at distances from nothing to 1e6."""
    rng = np.random.default_rng(seed)
    points = spread * rng.normal(size=(n_points, n_dimensions))
    away = rng.choice([0, 1e-6, 1e-3, 1, 1e3, 1e6], size=(n_cells, 1))
    rows = points[rng.integers(0, n_points, n_cells)] + away * rng.normal(size=(n_cells, n_dimensions))
    labels = np.unique(np.sort(rng.integers(0, 5, n_cells)), return_inverse=True)[1]
    assert_exact(rows.astype(np.float32), labels, min(K, n_cells - 1))


def test_an_embedding_of_a_foundation_model(shared_data):
    """2,048 dimensions of a published transformer for 1,000 real cells of the heart."""
    rows = np.load(shared_data / "data" / "heart_san_1000.transcriptformer_sapiens.npy").astype(np.float32)
    assert_exact(rows, np.arange(1000) // 100)


@pytest.mark.parametrize("n_dimensions", [1, 50, 3000])
def test_bounds_hold(n_dimensions):
    """No bound exceeds its distance, whoever is no candidate is as far as the worst: also where all signs agree."""
    rows = np.random.default_rng(0).random((400, n_dimensions)).astype(np.float32) ** 8
    pairs = float32._pairs(rows, np.zeros(1, dtype=np.intp), K)
    kernel.sweep(pairs, (0, 400), (0, 400), True)
    squares = cdist(rows.astype(np.float64), rows.astype(np.float64), "sqeuclidean") * pairs.scale**2
    assert (pairs.bounds <= np.take_along_axis(squares, pairs.kept, axis=1)).all()
    np.put_along_axis(squares, pairs.kept, np.inf, axis=1)
    np.fill_diagonal(squares, np.inf)
    assert (squares.min(axis=1) >= pairs.worst).all()


def test_whoever_has_too_many_near_cells_is_searched():
    """100 cells at the same distance of each leave the candidates unproven: all cells are looked at."""
    rows = np.eye(100, dtype=np.float32)
    pairs, found = float32._pairs(rows, np.zeros(1, dtype=np.intp), K), np.empty((100, K), dtype=np.int32)
    kernel.sweep(pairs, (0, 100), (0, 100), True)
    assert settle(pairs, (0, 100), found) == 100
    assert all(len(set(mine) - {cell}) == K for cell, mine in enumerate(found))


@settings(max_examples=40, deadline=None)
@given(n_cells=st.integers(2, 100_000))
def test_every_two_stripes_meet_once(n_cells):
    """And none twice in a round, so that no two threads write to the same cells."""
    met = Counter()
    for meetings in float32.rounds(n_cells, kernel.WIDTH):
        stripes = [stripe for one, other in meetings for stripe in {one, other}]
        assert len(stripes) == len(set(stripes))
        met.update(meetings)
    stripes = sorted({rows for rows, _ in met})
    assert stripes[0][0] == 0
    assert stripes[-1][1] == n_cells
    assert all(one[1] == other[0] for one, other in pairwise(stripes))
    assert met == Counter(combinations_with_replacement(stripes, 2))


@pytest.mark.parametrize("room", [2**29, 2**18])
def test_the_number_of_threads_changes_no_bit(monkeypatch, room):
    """One thread, two and three give the same bits, in whole and in panels."""
    monkeypatch.setattr(float32, "SUMS_BYTES", room)
    monkeypatch.setattr(float32, "share", lambda: 3)  # beside other workers a process has fewer
    rows = np.random.default_rng(0).normal(size=(4500, 20)).astype(np.float32)
    labels = np.arange(4500) // 150
    found = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            found.append(measured(rows, labels))
    for sums, near in found[1:]:
        np.testing.assert_array_equal(sums, found[0][0])
        np.testing.assert_array_equal(near, found[0][1])


def test_scores_alone_need_no_neighbours(pancreas):
    """With none wanted the scores are the same."""
    cells = Cells.of(pancreas.dataset)
    alone, whole = (distance_pass(pancreas.embedding, cells, n_nearest) for n_nearest in (0, K))
    assert alone.neighbours.shape == (1092, 0)
    np.testing.assert_array_equal(alone.asw, whole.asw)
    np.testing.assert_array_equal(alone.batch_score, whole.batch_score)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(real, value):
    """No score is made of it."""
    rows = real[0].copy()
    rows[5, 3] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        list(distance_blocks(rows, np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp), n_nearest=3))


def test_rows_that_are_no_float32_are_taken_in_float64(real):
    """Which float32 would not tell apart."""
    rows = 1 + 1e-9 * real[0].astype(np.float64)
    assert not float32.serves(rows)
    sums, _ = measured(rows, real[1])
    np.testing.assert_allclose(sums, pair_by_pair(rows, real[1])[0], rtol=1e-6)

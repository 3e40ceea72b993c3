"""knn_mixing and knn_purity are what their cards say, with everybody and without each donor, and are not fooled."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.metrics import knn_mixing, knn_purity
from zsgate.metrics.cells import Cells
from zsgate.metrics.mixing.apart import kept_apart
from zsgate.metrics.mixing.mixing import FEWEST, MOST


def plain(rows, labels, batches, donors, counted=None):
    """Return mixing and purity cell by cell, as in words; ``counted`` are the types that count for either."""
    n = len(rows)
    squares = ((rows[:, None].astype(float) - rows[None]) ** 2).sum(axis=2)
    shares = {}
    for cell in range(n):
        pool = [other for other in range(n) if donors[other] != donors[cell]]
        alike = [other for other in pool if labels[other] == labels[cell]]
        if not alike:
            continue
        k = min(MOST, max(1, len(alike) // 4))
        near = sorted(pool, key=lambda other, cell=cell: (squares[cell, other], other))[:k]
        near = [other for other in near if labels[other] == labels[cell]]
        other = sum(batches[each] != batches[cell] for each in near) / k
        expected = sum(batches[each] != batches[cell] for each in alike) / len(alike)
        shares[cell] = other, len(near) / k - other, expected
    types = sorted(set(labels))
    pure = {kind: [cell for cell in shares if labels[cell] == kind] for kind in types}
    mixable = {kind: [cell for cell in pure[kind] if 0 < shares[cell][2] < 1] for kind in types}
    if counted is None:
        counted = [{kind for kind in types if len(some[kind]) >= FEWEST} for some in (mixable, pure)]
    kinds = [kind for kind in types if kind in counted[0] and mixable[kind]]
    mixing = 0.0
    for batch in set(batches):
        others = purely = 0.0
        for kind in kinds:
            for cell in mixable[kind]:
                if batches[cell] == batch:
                    other, same, expected = shares[cell]
                    others += other / expected / len(mixable[kind]) / len(kinds)
                    purely += (other + same) / len(mixable[kind]) / len(kinds)
        mixing += max(0, min(others, 2 * purely - others))
    purity = [np.mean([sum(shares[cell][:2]) for cell in pure[kind]]) for kind in types if kind in counted[1]]
    return (mixing if kinds else math.nan, np.mean(purity) if purity else math.nan), counted


def test_they_are_what_their_cards_say_without_each_donor_too(pancreas):
    """On every third of 1,092 real cells, to 1e-12, with all donors and on the cells that remain without each."""
    rows, labels, batches, donors = (
        each[::3] for each in (pancreas.embedding, pancreas.labels, pancreas.batches, pancreas.donors)
    )
    found = [metric(rows, labels, batches=batches, donors=donors) for metric in (knn_mixing, knn_purity)]
    expected, counted = plain(rows, labels, batches, donors)
    assert [score.value for score in found] == pytest.approx(expected, abs=1e-12)
    for place, donor in enumerate(found[0].units):
        rest = donors != donor
        without, _ = plain(rows[rest], labels[rest], batches[rest], donors[rest], counted)
        assert [score.leave_outs[place] for score in found] == pytest.approx(without, abs=1e-12)


def test_two_batches_of_one_size_have_the_alignment_score(pancreas):
    """Butler et al. (2018): 1 - (x - k/2) / (k - k/2), x a cell's mean number of neighbours of its own batch."""
    from sklearn.neighbors import NearestNeighbors

    some = np.flatnonzero(pancreas.labels == "pancreatic A cell")[:120]
    rows, batches = pancreas.embedding[some], np.repeat(["a", "b"], 60)
    rows = rows + (batches == "b")[:, None] * 0.3 * rows.std(axis=0)
    nearest = NearestNeighbors(n_neighbors=29).fit(rows).kneighbors(return_distance=False)
    own = (batches[nearest] == batches[:, None]).sum(axis=1).mean()
    alignment = 1 - (own - 29 / 2) / (29 - 29 / 2)
    far = np.vstack([rows, rows[:20] + 1e3])  # a second type, far away and of one batch
    labels, batches = np.repeat(["A", "B"], [120, 20]), np.append(batches, ["a"] * 20)
    found = knn_mixing(far, labels, batches=batches).value
    assert found == pytest.approx(alignment * 119 / 120, abs=1e-12)  # a cell is not among those that it may meet
    assert 0.1 < found < 0.9


N, TYPES, BATCHES = 1200, 6, 3


@pytest.fixture(scope="module")
def made():
    """Return labels, batches and donors, four to a batch, of made cells, and the noise and centroids of their types."""
    rng = np.random.default_rng(7)
    labels, donors = rng.integers(0, TYPES, N), rng.integers(0, 4 * BATCHES, N)
    centroids = 6 * rng.normal(size=(TYPES, 20))[labels]
    return labels, donors % BATCHES, donors, rng.normal(size=(N, 20)), centroids


def of(made, rows):
    """Return mixing and purity."""
    labels, batches, donors, _, _ = made
    return tuple(metric(rows, labels, batches=batches, donors=donors).value for metric in (knn_mixing, knn_purity))


def test_the_ladder_of_made_cells(made):
    """Perfect mixing is near 1; shifts of batches take it to 0; noise and merged types have what chance gives."""
    labels, batches, _, noise, centroids = made
    rng = np.random.default_rng(1)
    shift = rng.normal(size=(BATCHES, 20))[batches]
    perfect, some, apart = (of(made, centroids + noise + level * shift) for level in (0, 0.5, 3))
    assert perfect[0] > 0.93
    assert perfect[0] > some[0] + 0.2 > apart[0]
    assert apart[0] < 0.01
    assert min(perfect[1], some[1], apart[1]) > 0.999
    assert of(made, noise) == pytest.approx((1 / TYPES, 1 / TYPES), abs=0.03)
    of_type = np.array([centroids[labels == label][0] for label in range(TYPES)])
    assert of(made, of_type[labels // 2 * 2] + noise) == pytest.approx((0.5, 0.5), abs=0.05)  # two types in one place


@pytest.mark.parametrize("seed", [3, 4])
def test_what_sets_donors_apart_is_hardly_an_effect_of_their_batch(made, seed):
    """Donors apart, each in a direction of its own, cost less than a quarter of what batches apart by as much do."""
    labels, batches, donors, noise, centroids = made
    rng, alike = np.random.default_rng(seed), centroids + noise
    by_donor, by_batch = (0.5 * rng.normal(size=(n, 20)) for n in (4 * BATCHES, BATCHES))
    free = of(made, alike)[0]
    lost = [free - of(made, alike + shift)[0] for shift in (by_donor[donors], by_batch[batches])]
    assert 0 < lost[0] < lost[1] / 4
    nobody = knn_mixing(alike + by_donor[donors], labels, batches=batches).value  # nobody knows whose a cell is
    assert nobody < free - lost[0]


def test_batches_that_avoid_themselves_are_not_mixed():
    """Every donor of one batch lies beside one of the other and far from all others: around a cell is no own batch."""
    rng = np.random.default_rng(0)
    site, batches, labels, _ = np.indices((7, 2, 2, 40)).reshape(4, -1)
    donors = 7 * batches + site
    rows = 50.0 * rng.normal(size=(7, 8))[site] + 1e3 * labels[:, None] + rng.normal(size=(len(site), 8))
    found = knn_mixing(rows, labels, batches=batches, donors=donors).value
    assert found == pytest.approx(2 - 13 / 7, abs=1e-9)  # 7 of 13 donors that it may meet are of the other batch


def test_donors_are_kept_apart_where_that_can_be(made):
    """Where every batch is a donor, or no donors are known, other cells of the donor are neighbours."""
    labels, batches, donors, noise, centroids = made
    assert kept_apart(Cells.of(labels, batches, donors)) is not None
    assert kept_apart(Cells.of(labels, donors, donors)) is None
    assert kept_apart(Cells.of(labels, batches)) is None
    rows = centroids + noise
    found = knn_mixing(rows, labels, batches=donors, donors=donors)
    assert found.value > 0.8
    assert np.isfinite(found.leave_outs).all()


def test_donors_are_known_where_the_verdict_speaks_for_cells(cells):
    """Groups of cells are left out, and whose cells they are still decides who is a neighbour."""
    whole = replace(cells, scope="cells")
    found = Cells.of(whole)
    assert found.unit == "cells"
    expected = np.unique(whole.donors, return_inverse=True)[1]
    np.testing.assert_array_equal(kept_apart(found), expected)
    assert kept_apart(replace(found, dataset=None)) is None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 8))
def test_order_names_scale_and_place_change_nothing(seed, n_batches, n_donors):
    """Both lie between 0 and what perfect mixing allows, however cells are ordered, called, scaled and moved."""
    rng = np.random.default_rng(seed)
    labels, donors, noise = rng.integers(0, 3, 90), rng.integers(0, n_donors, 90), rng.normal(size=(90, 4))
    batches, order = donors % n_batches, rng.permutation(90)
    rows = (np.eye(4)[labels] * 2 + noise).astype(np.float32)
    other = (8 * rows + 16)[order]
    for metric in (knn_mixing, knn_purity):
        value = metric(rows, labels, batches=batches, donors=donors).value
        renamed = [(7 - codes).astype(str)[order] for codes in (labels, batches, donors)]
        again = metric(other, renamed[0], batches=renamed[1], donors=renamed[2]).value
        assert again == pytest.approx(value, abs=1e-9, nan_ok=True)
        assert math.isnan(value) or 0 <= value <= 1 + 1e-9


def test_too_few_cells_have_no_mixing(made):
    """Fewer than ten cells of a type in two batches say nothing."""
    labels, batches, donors, noise, centroids = (each[:30] for each in made)
    found = knn_mixing(centroids + noise, labels, batches=batches, donors=donors)
    assert math.isnan(found.value)

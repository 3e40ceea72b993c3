"""Recovery is a nearest-neighbour classifier on the unperturbed cells of other donors, exactly without each donor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from zsgate.metrics.cells import Cells
from zsgate.metrics.robustness.metric import Copies, depth
from zsgate.metrics.robustness.recovery import recovery
from zsgate.models.embedding import Embedding


def by_classifier(originals, copies, labels, barred):
    """Return whether scikit-learn's nearest neighbour among the cells that are not barred is of the own type."""
    found = []
    for cell, row in enumerate(copies):
        known = KNeighborsClassifier(1, algorithm="brute").fit(originals[~barred[cell]], labels[~barred[cell]])
        found.append(known.predict(row[None])[0] == labels[cell])
    return np.array(found)


@pytest.fixture(scope="module")
def made(some):
    """Return 273 real cells, their rows and rows moved by noise as wide as the cells' own spread."""
    dataset, rows = some
    few = np.arange(0, dataset.n_cells, 2)
    dataset, rows = dataset.subset(few), rows[few]
    return dataset, rows, rows + np.random.default_rng(0).normal(scale=rows.std(axis=0), size=rows.shape).astype("f4")


@pytest.mark.slow
def test_it_is_a_classifier_on_other_donors(made):
    """With everybody and without each of the donors, whose copies and originals both leave; balanced, too."""
    dataset, rows, moved = made
    labels, donors = dataset.cell_types, dataset.donors
    value, *without, balanced = recovery(rows, moved, Cells.of(dataset))
    hits = by_classifier(rows, moved, labels, donors[:, None] == donors)
    assert 0.3 < value < 0.95
    assert value == pytest.approx(hits.mean(), abs=1e-12)
    assert balanced == pytest.approx(np.mean([hits[donors == each].mean() for each in np.unique(donors)]), abs=1e-12)
    assert len(without) == len(np.unique(donors))
    for donor, found in list(zip(np.unique(donors), without, strict=True))[::4]:
        left = donors != donor
        hits = by_classifier(rows[left], moved[left], labels[left], (donors[:, None] == donors)[left][:, left])
        assert found == pytest.approx(hits.mean(), abs=1e-12)


@pytest.mark.parametrize("known", [{"scope": "cells"}, {"donors": None}])
def test_without_donors_it_is_any_cell_but_itself(made, known):
    """Unperturbed copies do not find themselves; groups of cells are left out, and nothing where donors are unknown."""
    dataset, rows, _ = made
    dataset = replace(dataset, **known)
    value, *rest = recovery(rows, rows, Cells.of(dataset))
    hits = by_classifier(rows, rows, dataset.cell_types, np.eye(len(rows), dtype=bool))
    assert value == pytest.approx(hits.mean(), abs=1e-12)
    assert len(rest) == (21 if "scope" in known else 0)


def test_order_decides_nothing(made):
    """Cells in another order have the same score to the last digits; cells far from the origin lose none."""
    dataset, rows, moved = made
    order = np.random.default_rng(1).permutation(dataset.n_cells)
    found = recovery(rows[order], moved[order], Cells.of(dataset.subset(order)))
    before = recovery(rows, moved, Cells.of(dataset))
    np.testing.assert_allclose(found, before, rtol=0, atol=1e-12)
    np.testing.assert_allclose(recovery(rows * 2 + 4096, moved * 2 + 4096, Cells.of(dataset)), before, atol=0.02)


def test_one_cell_far_away_costs_the_others_nothing(made):
    """A row 1e12 away changes the score by what this one cell is worth."""
    dataset, rows, moved = made
    far = rows.copy()
    far[7] = 1e12
    before = recovery(rows, moved, Cells.of(dataset))[0]
    assert abs(recovery(far, moved, Cells.of(dataset))[0] - before) < 0.02


def test_cells_that_are_equally_near_count_in_part(made):
    """Where all rows are equal the score is the frequency of the own type among the cells of other donors."""
    dataset, _, _ = made
    cells, equal = Cells.of(dataset), np.ones((dataset.n_cells, 4), dtype=np.float32)
    labels, donors = dataset.cell_types, dataset.donors
    same, other = labels[:, None] == labels, donors[:, None] != donors
    expected = ((same & other).sum(axis=1) / other.sum(axis=1)).mean()
    assert recovery(equal, equal, cells)[0] == pytest.approx(expected, abs=1e-12)


def test_one_donor_leaves_nobody_to_be_found(made):
    """There the score is undefined, and says so."""
    dataset, rows, moved = made
    alone = replace(dataset, donors=np.full(dataset.n_cells, "only"))
    assert np.isnan(recovery(rows, moved, Cells.of(alone))).all()


def test_a_score_has_a_draw_for_each_pair_of_draws(made):
    """Draw s of the copies is compared with draw s of the originals; shuffled rows score as noise does."""
    dataset, rows, moved = made
    copies = Copies(Embedding.of([rows, -rows]), Embedding.of([moved, -moved]), dataset)
    score = depth(copies)
    assert score.draws == pytest.approx([score.value] * 2, abs=1e-12)
    assert (score.metric, score.cells, score.unit, score.units) == (
        *("depth", dataset.cells_digest, "donor"),
        tuple(np.unique(dataset.donors)),
    )
    assert len(score.leave_outs) == len(score.units)
    shares = np.unique(dataset.cell_types, return_counts=True)[1] / dataset.n_cells
    assert depth(copies.shuffled).value == pytest.approx((shares**2).sum(), abs=0.1)

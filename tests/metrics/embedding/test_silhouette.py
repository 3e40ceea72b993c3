"""asw and batch_score equal scikit-learn and scib, with everybody and without each donor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_samples, silhouette_score

from zsgate.metrics import asw, batch_score

TOLERANCE = 1e-6


def sklearn_asw(rows, labels):
    """Return the scaled silhouette in float64, NaN where scikit-learn refuses."""
    if not 2 <= len(np.unique(labels)) < len(labels):
        return np.nan
    return (silhouette_score(rows.astype(np.float64), labels) + 1) / 2


def sklearn_batch_score(rows, labels, batches):
    """Return the batch integration score by its definition, NaN where no label counts."""
    scores = []
    for label in np.unique(labels):
        of_label = labels == label
        if 2 <= len(np.unique(batches[of_label])) < of_label.sum():
            widths = silhouette_samples(rows[of_label].astype(np.float64), batches[of_label])
            scores.append(np.mean(1 - np.abs(widths)))
    return np.mean(scores) if scores else np.nan


def test_asw_equals_scikit_learn_on_real_cells(pancreas):
    """On 1,092 pancreas cells asw is scikit-learn's silhouette, scaled."""
    ours = asw(pancreas.embedding, pancreas.labels).value
    assert ours == pytest.approx(sklearn_asw(pancreas.embedding, pancreas.labels), abs=TOLERANCE)


def test_both_equal_scib_on_real_cells(pancreas):
    """On 1,092 pancreas cells asw and batch_score are those of scib."""
    import anndata
    from scib.metrics import silhouette, silhouette_batch

    adata = anndata.AnnData(obsm={"X_emb": pancreas.embedding.astype(np.float64)}, shape=(1092, 0))
    adata.obs["label"], adata.obs["batch"] = pancreas.labels, pancreas.batches
    theirs = silhouette(adata, "label", "X_emb")
    theirs_batch = silhouette_batch(adata, "batch", "label", "X_emb", verbose=False)
    assert asw(pancreas.embedding, pancreas.dataset).value == pytest.approx(theirs, abs=TOLERANCE)
    assert batch_score(pancreas.embedding, pancreas.dataset).value == pytest.approx(theirs_batch, abs=TOLERANCE)


def test_leave_outs_equal_removing_each_real_donor(pancreas):
    """Both scores without a donor are those of the cells that physically remain, for all 20 donors."""
    rows, labels, batches = pancreas.embedding, pancreas.labels, pancreas.batches
    ours, ours_batch = (metric(rows, pancreas.dataset) for metric in (asw, batch_score))
    assert ours.units == tuple(np.unique(pancreas.donors))
    for donor, value, value_batch in zip(ours.units, ours.leave_outs, ours_batch.leave_outs, strict=True):
        rest = pancreas.donors != donor
        assert value == pytest.approx(sklearn_asw(rows[rest], labels[rest]), abs=TOLERANCE)
        expected = sklearn_batch_score(rows[rest], labels[rest], batches[rest])
        assert value_batch == pytest.approx(expected, abs=TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_cells=st.integers(6, 40),
    n_labels=st.integers(2, 5),
    n_batches=st.integers(1, 4),
    n_donors=st.integers(1, 6),
)
def test_leave_outs_equal_removing_cells(seed, n_cells, n_labels, n_batches, n_donors):
    """So they are where labels and batches vanish, become singletons or leave nothing to score."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_cells, 3)).astype(np.float32)
    labels = np.append([0, 1, 1], rng.integers(0, n_labels, n_cells - 3))
    donors = (labels + rng.integers(0, 2, n_cells)) % n_donors  # donors hold few labels, so some are lost
    batches = rng.integers(0, n_batches, n_cells)
    ours, ours_batch = (metric(rows, labels, batches=batches, donors=donors) for metric in (asw, batch_score))
    assert ours.value == pytest.approx(sklearn_asw(rows, labels), abs=TOLERANCE)
    whole = sklearn_batch_score(rows, labels, batches)
    assert ours_batch.value == pytest.approx(whole, abs=TOLERANCE, nan_ok=True)
    for donor, value, value_batch in zip(ours.units, ours.leave_outs, ours_batch.leave_outs, strict=True):
        rest = donors != int(donor)
        expected = sklearn_asw(rows[rest], labels[rest])
        assert value == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)
        expected = sklearn_batch_score(rows[rest], labels[rest], batches[rest])
        assert value_batch == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)


@pytest.mark.parametrize("case", ["tight", "offset", "duplicates", "many dimensions"])
def test_asw_is_exact_where_float32_distances_are_not(case):
    """Clusters of spread 1e-3 at distance 30, data at 1e5, duplicates, 2,000 dimensions: float64 parity."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, 600)
    rows = {
        "tight": 30 * np.eye(6)[labels] + 1e-3 * rng.normal(size=(600, 6)),
        "offset": 1e5 + np.eye(6)[labels] + rng.normal(size=(600, 6)),
        "duplicates": np.repeat(rng.normal(size=(300, 10)), 2, axis=0),
        "many dimensions": rng.normal(size=(600, 2000)) + np.repeat(np.eye(6)[labels], 100, axis=1)[:, :1],
    }[case].astype(np.float32)
    assert asw(rows, labels).value == pytest.approx(sklearn_asw(rows, labels), abs=TOLERANCE)


def test_the_origin_does_not_matter():
    """One dimension at 2**22 for every cell changes nothing within 1e-7: its square would drown the rest."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 300)
    rows = (0.01 * rng.normal(size=(300, 6)) + 0.01 * labels[:, None]).astype(np.float32)
    far = np.column_stack([rows, np.full(300, 2**22, dtype=np.float32)])
    assert asw(far, labels).value == pytest.approx(sklearn_asw(rows, labels), abs=1e-7)


def test_copies_of_a_cell_are_at_distance_nothing():
    """Two points, each copied: the silhouette is 1 in both cell types, also without a donor."""
    rows = np.repeat(np.array([[1000.1, 3.3], [1003.7, 0.2]]), 20, axis=0)
    score = asw(rows, np.repeat(["a", "b"], 20), donors=np.tile(["x", "y"], 20))
    assert (score.value, *score.leave_outs) == pytest.approx((1, 1, 1), abs=1e-6)


def test_the_score_spans_blocks_of_rows():
    """More cells of one label than a block has rows give scikit-learn's value too."""
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], [1700, 200])
    rows = (rng.normal(size=(1900, 5)) + labels[:, None]).astype(np.float32)
    assert asw(rows, labels).value == pytest.approx(sklearn_asw(rows, labels), abs=TOLERANCE)


def test_noise_scores_what_the_controls_expect():
    """Pure noise has about 0.5 asw and 0.98 batch_score: the batch score cannot stand alone."""
    rng = np.random.default_rng(3)
    rows, labels, batches = rng.normal(size=(1500, 30)), rng.integers(0, 9, 1500), rng.integers(0, 4, 1500)
    assert asw(rows, labels).value == pytest.approx(0.49, abs=0.015)
    assert batch_score(rows, labels, batches=batches).value == pytest.approx(0.982, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100))
def test_order_names_and_rigid_motions_do_not_matter(seed, scale, shift):
    """Permuted cells, renamed labels and donors, a rotated, scaled and shifted embedding: within 2e-5.

    The tolerance is the float32 rounding of the moved embedding.
    """
    rng = np.random.default_rng(seed)
    labels, batches, donors = (rng.integers(0, k, 80) for k in (4, 3, 5))
    rows = rng.normal(size=(80, 6)) + labels[:, None]
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    order = rng.permutation(80)
    moved = scale * (rows[order] @ rotation + shift)
    for metric in (asw, batch_score):
        before = metric(rows, labels, batches=batches, donors=donors)
        renamed = np.array(list("wzyx"))[labels[order]]
        after = metric(moved, renamed, batches=-batches[order], donors=9 - donors[order])
        assert after.value == pytest.approx(before.value, abs=2e-5)
        assert after.leave_outs == pytest.approx(before.leave_outs[::-1], abs=2e-5)

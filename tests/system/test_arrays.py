"""Large arrays lie in files and hold the same bits; who makes, keeps and scores them does not notice."""

from __future__ import annotations

import hashlib
import mmap
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zsgate.baselines import hvg
from zsgate.errors import UsageProblem
from zsgate.metrics import METRICS, asw, avg_bio, batch_score
from zsgate.metrics.cache import forget
from zsgate.metrics.cells import Cells
from zsgate.models.embedding import Embedding, check_rows
from zsgate.run.checks import controls, shift
from zsgate.system import arrays
from zsgate.system.store import Store


@pytest.fixture
def everything_large(monkeypatch):
    """Send every array of more than 2 kB to a file, and handle few rows at a time."""
    monkeypatch.setattr(arrays, "IN_MEMORY", 2048)
    monkeypatch.setattr(arrays, "STRETCH", 4096)


def lies_in_a_file(array):
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array is not None


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_rows_are_taken_as_numpy_takes_them(n_rows, width, stretch, seed):
    """Any positions, repeated and out of order, in stretches of any size."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(n_rows, width)).astype(np.float32)
    positions = generator.integers(0, n_rows, 25 if n_rows else 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "IN_MEMORY", 64)
        patch.setattr(arrays, "STRETCH", stretch)
        np.testing.assert_array_equal(arrays.take(rows, positions), rows[positions])
        np.testing.assert_array_equal(arrays.moved(rows.T, np.float64), rows.T)
        covered = [row for part in arrays.stretches(rows) for row in range(n_rows)[part]]
    assert covered == list(range(n_rows))


def test_small_arrays_stay_in_memory_and_large_ones_leave_no_file(everything_large, tmp_path, monkeypatch):
    """The file has no name, so nothing is left behind, whatever ends the process."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    small, large = arrays.empty((16, 32)), arrays.empty((16, 33))
    large[:] = 1
    assert (lies_in_a_file(small), lies_in_a_file(large)) == (False, True)
    assert large.sum() == 16 * 33
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system takes room only when it is written to")
def test_a_full_disk_is_an_error_at_once(monkeypatch):
    """More than any disk has is refused when it is asked for, not when a page is written."""
    with pytest.raises(UsageProblem, match=r"no room for 4,503,599.6 GB in /.* \((No space|File too large|Cannot)"):
        arrays.empty((1 << 40, 1 << 10))


def test_hvg_in_a_file_has_the_same_bits(few_cells, everything_large, monkeypatch):
    """And is checked without a copy."""
    (mapped,), notes = hvg.embed(few_cells)
    assert lies_in_a_file(mapped)
    assert check_rows(mapped, source="hvg", n_cells=few_cells.n_cells) is mapped
    monkeypatch.undo()
    (held,), same = hvg.embed(few_cells)
    assert not lies_in_a_file(held)
    assert notes == same
    assert held.tobytes() == mapped.tobytes()
    assert Embedding((held,)).digest == Embedding((mapped,)).digest


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_the_last_of_many_rows_is_looked_at(everything_large, value):
    """What is unusable is refused in any stretch, also after the cast to float32."""
    rows = np.random.default_rng(0).normal(size=(500, 9))
    assert lies_in_a_file(check_rows(rows, source="it"))
    rows[-1, -1] = value
    with pytest.raises(ValueError, match=r"1 of 500 cells \(first: row 499\)"):
        check_rows(rows, source="it")
    with pytest.raises(ValueError, match="the same row for all 500 cells"):
        check_rows(np.ones((500, 9)), source="it")


def test_scores_of_mapped_rows_have_the_same_bits(few_cells, everything_large, monkeypatch, tmp_path):
    """Distances, clusterings, halves and shuffled rows of what a store maps, against what it holds in memory."""
    rows = np.ascontiguousarray(hvg.embed(few_cells)[0][0][:, :40])
    (mapped,), _ = Store(tmp_path).arrays("embedding", {}, lambda: ([rows], {}))
    assert lies_in_a_file(mapped)
    assert not mapped.flags.writeable

    def scores(draw):
        forget()  # or the second time they are remembered, not computed
        embedding = replace(Embedding((draw,)), clusterings=1)
        shuffled = controls.shuffled_twin(embedding, few_cells)
        on_request = [METRICS[name](embedding, few_cells) for name in ("bras", "label_transfer", "graph_connectivity")]
        return [avg_bio(embedding, few_cells), batch_score(embedding, few_cells), asw(shuffled, few_cells), *on_request]

    there = scores(mapped)
    monkeypatch.undo()
    assert there == scores(np.array(mapped))


def test_what_moved_is_shaken_alike(few_cells, everything_large, monkeypatch):
    """Noise drawn a stretch at a time is the noise drawn at once."""
    rows = np.random.default_rng(0).normal(size=(few_cells.n_cells, 9)).astype(np.float32)
    shaken = shift._shaken(rows, 0.1, np.random.default_rng(1))
    noise = np.random.default_rng(1).standard_normal(rows.shape) * 0.1 / 3
    np.testing.assert_array_equal(shaken, (rows + noise).astype(np.float32))


def test_a_stale_graph_joins_types_and_stays_small(pancreas):
    """Two neighbours a cell, of its own type, and no counts: all pairs of a large type would not fit."""
    pca = Embedding.of(np.random.default_rng(0).normal(size=(pancreas.n_cells, 5)))
    adata = controls.with_stale_graph(pancreas, pca)
    from scipy.sparse.csgraph import connected_components

    n_parts, part = connected_components(adata.obsp["connectivities"], directed=False)
    labels = Cells.of(pancreas).labels
    assert n_parts == len(np.unique(labels)) == len(np.unique(np.column_stack([part, labels]), axis=0))
    assert adata.obsp["distances"].nnz <= 2 * pancreas.n_cells
    np.testing.assert_array_equal(adata.obsm["X"], pca.draws[0])


@settings(max_examples=60)
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)), st.integers(1, 200), st.booleans())
def test_what_is_saved_in_pieces_is_what_numpy_saves(array, stretch, turned):
    """The file that NumPy reads, of any type, shape and order, and the digest of the bytes in C order."""
    array = array.T if turned else array
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "STRETCH", stretch)
        path = Path(folder) / "x.npy"
        arrays.save(path, array)
        found = np.load(path)
        assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert arrays.digest(array) == hashlib.sha256(array.tobytes()).hexdigest()


def test_a_mapped_array_is_hashed_once(tmp_path, monkeypatch):
    """The digest of what a store has checked is at hand; that of an array that can change is never an old one."""
    rows = np.arange(60.0).reshape(20, 3)
    arrays.save(tmp_path / "x.npy", rows)
    mapped = arrays.load_mapped(tmp_path / "x.npy")
    first = arrays.digest(mapped)
    assert arrays.digest(mapped[1:]) != first
    before = arrays.digest(rows)
    assert before == first
    rows[0, 0] = 7
    assert arrays.digest(rows) != before
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "stretches", lambda _: pytest.fail("read again"))
        assert arrays.digest(mapped) == first
    known = id(mapped)
    del mapped
    assert known not in arrays._DIGESTS

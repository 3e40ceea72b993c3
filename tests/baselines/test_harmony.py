"""Harmony as harmony-pytorch computes it: seeded, without a trace on the process, and mixing better than PCA."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from zsgate.baselines import NEEDS, harmony, pca
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.metrics import knn_mixing
from zsgate.models.embedding import Embedding

pytest.importorskip("harmony")


@pytest.fixture(scope="module")
def drawn(pancreas: Dataset) -> list[np.ndarray]:
    """Return two runs on the quick tier's cells."""
    return harmony.embed(pancreas, seeds=2)[0]


def test_it_is_the_library_s_own_result(pancreas: Dataset, drawn: list[np.ndarray]) -> None:
    """The components of PCA go in, the batches beside them, and each run has its seed."""
    import pandas as pd
    from harmony import harmonize

    (components,), _ = pca.embed(pancreas)
    batches = pd.DataFrame({"b": pancreas.batches.astype(object)})
    expected = harmonize(components, batches, "b", random_state=1, verbose=False, n_jobs=torch.get_num_threads())
    np.testing.assert_array_equal(drawn[1], expected)
    assert [rows.dtype for rows in drawn] == [np.float32] * 2
    assert not np.array_equal(*drawn)


def test_nothing_of_the_process_is_changed(few_cells: Dataset) -> None:
    """Neither NumPy's generator nor the number of torch's threads."""
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    threads = torch.get_num_threads()
    one, _ = harmony.embed(few_cells, seeds=1)
    assert (np.random.rand(), torch.get_num_threads()) == (expected, threads)  # noqa: NPY002
    np.testing.assert_array_equal(one[0], harmony.embed(few_cells, seeds=2)[0][0])


def test_batches_mix_better_than_before(pancreas: Dataset, drawn: list[np.ndarray]) -> None:
    """Which is what it is for."""
    before = knn_mixing(Embedding.of(pca.embed(pancreas)[0][0]), pancreas).value
    assert knn_mixing(Embedding.of(drawn[0]), pancreas).value > before + 0.1


def test_one_batch_is_left_as_it_is(few_cells: Dataset) -> None:
    """There is nothing to correct."""
    for batches in (None, np.full(few_cells.n_cells, "one")):
        rows, notes = harmony.embed(replace(few_cells, batches=batches), seeds=2)
        np.testing.assert_array_equal(rows, pca.embed(few_cells)[0] * 2)
        assert "nothing to correct" in str(notes["remark"])


def test_it_says_what_is_missing(few_cells: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what brings it."""
    monkeypatch.setitem(NEEDS, "harmony", ("no_such_package", "zsgate[harmony]"))
    with pytest.raises(UsageProblem, match=r"pip install 'zsgate\[harmony\]'"):
        harmony.embed(few_cells, seeds=1)

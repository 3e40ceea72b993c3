"""Which genes are hidden from a packaged model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter
from zsgate.models.pretrained.predictions import hide_genes
from zsgate.models.reconstruction import Reconstruction, hidden
from zsgate.models.transformer.tokens import Tokens


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.floats(0.01, 0.99), st.integers(0, 5))
def test_the_stated_share_of_genes_is_hidden(lengths: list[int], share: float, seed: int) -> None:
    """Each cell has round(share x genes) genes hidden, one at least, and special tokens never."""
    offsets = np.concatenate([[0], np.cumsum(np.array(lengths) + 1)])
    ids = np.arange(offsets[-1], dtype=np.int32)
    columns = ids.copy()
    columns[offsets[:-1]] = -1
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    counts = sp.csr_matrix((np.ones(indptr[-1]), columns[columns >= 0], indptr), shape=(len(lengths), len(ids)))
    found = hide_genes(Tokens(offsets, ids, columns), counts, share, seed)
    assert not found[columns < 0].any()
    expected = np.maximum(1, np.rint(share * np.array(lengths)))
    np.testing.assert_array_equal(np.add.reduceat(found, offsets[:-1], dtype=int), expected)
    assert not hide_genes(Tokens(offsets, ids, columns), counts, 0.0, seed).any()


@pytest.fixture(params=["scgpt_human", "geneformer_v1_10m", "geneformer_v2_104m"])
def model(request: pytest.FixtureRequest, tiny_scgpt: Callable[..., Adapter], tiny_geneformer: Callable[..., Adapter]):  # type: ignore[no-untyped-def]
    """Return each shipped adapter in a tiny size."""
    name = request.param
    return tiny_scgpt() if name.startswith("scgpt") else tiny_geneformer(name)


def pairs(found: Reconstruction, entries: np.ndarray) -> set[tuple[int, int]]:
    """Return (cell, gene) of the entries of a mask."""
    return set(zip(found.cell_of_entry[entries].tolist(), found.genes[entries].tolist(), strict=True))


def told(dataset: Dataset, share: float) -> set[tuple[int, int]]:
    """Return (cell, gene) of what a user's model is told to hide."""
    counts = dataset.counts
    hide = hidden(counts.indptr, counts.indices, share)
    cell = np.repeat(np.arange(dataset.n_cells), np.diff(counts.indptr))
    return set(zip(cell[hide].tolist(), counts.indices[hide].tolist(), strict=True))


def known_only(model, dataset: Dataset, most: int) -> Dataset:  # type: ignore[no-untyped-def]
    """Return cells whose counts are in ``most`` genes of those that the model reads, so that it reads all of a cell."""
    (found,) = model.reconstruct(dataset)
    read = np.unique(found.genes)[:most]
    dense = np.zeros(dataset.counts.shape, np.float32)
    dense[:, read] = dataset.counts[:, read].toarray()
    return replace(dataset, counts=sp.csr_matrix(dense))


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_a_model_that_reads_all_genes_has_those_of_a_users_model_hidden(model, handful: Dataset, share: float) -> None:  # type: ignore[no-untyped-def]
    """What ``hidden`` tells a user's model to hide of a cell is what is hidden from scGPT and Geneformer."""
    cells = known_only(model, handful, 250)
    (found,) = model.reconstruct(cells, masked=share)
    assert len(found.genes) == cells.counts.nnz
    assert pairs(found, found.masked) == told(cells, share)


def test_a_model_that_reads_fewer_genes_has_the_first_of_them_hidden(model, handful: Dataset) -> None:  # type: ignore[no-untyped-def]
    """Of the genes that a model reads and a user's model has hidden nearly all are hidden from it, too."""
    (found,) = model.reconstruct(handful, masked=0.4)
    both = told(handful, 0.4) & pairs(found, np.ones(len(found.genes), bool))
    assert len(found.genes) < 0.9 * handful.counts.nnz
    assert len(both & pairs(found, found.masked)) > 0.85 * len(both)

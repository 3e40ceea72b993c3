"""A dataset that is kept as arrays is the one that was read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from annotated import annotated
from hypothesis import given
from hypothesis import strategies as st

from zsgate.config.config import Config
from zsgate.data.dataset import Dataset
from zsgate.data.expression import Expression
from zsgate.data.file import kept
from zsgate.run import datasets
from zsgate.system.store import Store


def same(one: Dataset, other: Dataset) -> None:
    """Fail unless two datasets are equal in all that anybody can see of them."""
    assert (one.digest, one.cells_digest) == (other.digest, other.cells_digest)
    assert (one.name, one.scope, one.notes) == (other.name, other.scope, other.notes)
    assert {**one.card, "notes": one.notes} == {**other.card, "notes": other.notes}
    for part in ("data", "indices", "indptr"):
        ours, theirs = (getattr(each.counts, part) for each in (one, other))
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    for name in kept.NAMES:
        ours, theirs = getattr(one, name), getattr(other, name)
        assert (ours is None) == (theirs is None)
        assert ours is None or (ours.dtype == theirs.dtype and (ours == theirs).all())
    assert (one.expression is None) == (other.expression is None)
    if one.expression is not None:
        assert one.expression.identity == other.expression.identity


def through(store: Store, dataset: Dataset) -> Dataset:
    """Return a dataset as the store gives it back to another run."""
    store.arrays("cells", {"of": dataset.digest}, lambda: kept.to_arrays(dataset))
    return kept.from_arrays(*store.arrays("cells", {"of": dataset.digest}, lambda: pytest.fail("made again")))


def test_real_cells_come_back(pancreas, few_cells, tmp_path):
    """With batches, donors and both kinds of gene names; without; and with an X beside, and cells left out."""
    path = tmp_path / "cells.h5ad"
    path.touch()
    rows = np.arange(few_cells.n_cells)[::-1].copy()
    store = Store(tmp_path)
    same(through(store, pancreas), pancreas)
    bare = replace(few_cells, batches=None, donors=None, scope="cells", name="bare", symbols=few_cells.ensembl)
    same(through(store, replace(bare, ensembl=None)), replace(bare, ensembl=None))
    beside = replace(few_cells.subset(rows[:50]), expression=Expression(path, rows[:50]))
    same(through(store, beside), beside)


@given(st.lists(st.sampled_from([1, 2, 255, 256, 65_535, 65_536, (1 << 24) - 1]), min_size=4, max_size=4), st.data())
def test_every_count_comes_back(tmp_path_factory, counts, data):
    """Whatever type the numbers fit into."""
    place = data.draw(st.permutations(range(8)))[:4]
    matrix = np.zeros(8, dtype=np.float32)
    matrix[place] = counts
    dataset = Dataset(
        "d", sp.csr_matrix(matrix.reshape(4, 2)), np.array([*"abcd"]), np.array([*"xxyy"]), np.array(["g", "h"])
    )
    same(through(Store(tmp_path_factory.mktemp("store")), dataset), dataset)


@pytest.fixture
def read(tmp_path, few_cells):
    """Return a function that reads a user's file as a run does, and where that is."""
    path = tmp_path / "cells.h5ad"
    adata = annotated(few_cells)
    adata.obs["cell_type"] = few_cells.cell_types.astype(object)
    adata.write_h5ad(path)

    def read(**given: str) -> Dataset:
        columns = {"label": "cell_type", "batch": "batch", "donor": "donor", **given}
        config = Config(model="m", datasets=(str(path),), cache=tmp_path / "cache", **columns)
        (source,) = datasets.chosen(config).values()
        return datasets.read(source, datasets.shelf_of(config), Store(tmp_path / "cache"))

    return read, path


def test_a_file_is_read_once(read, monkeypatch):
    """A second run reads the copy; other columns, or a file that changed, are read from the file."""
    read, path = read
    before = read()
    reads = []
    monkeypatch.setattr(datasets, "_read", lambda *_: reads.append(1) or before)
    same(read(), before)
    assert not reads
    read(label="donor", donor="cell_type")
    path.touch()
    read()
    assert len(reads) == 2


def test_a_damaged_copy_is_read_from_the_file_again(read, tmp_path, capsys):
    """And said to be so."""
    read, _ = read
    before = read()
    (copy,) = Path(tmp_path / "cache" / "cells").glob("*.npz")
    copy.write_bytes(copy.read_bytes()[:-1000])
    same(read(), before)
    assert "is not used, for it is damaged" in capsys.readouterr().err


def test_a_large_dataset_is_not_kept_twice(read, tmp_path, monkeypatch):
    """What takes long to read takes room to keep."""
    read, _ = read
    monkeypatch.setattr(kept, "MOST_BYTES", 1000)
    same(read(), read())
    assert not (tmp_path / "cache" / "cells").exists()

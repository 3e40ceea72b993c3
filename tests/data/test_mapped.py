"""Counts that stay on disk: the same dataset as in memory, from every form, checked block by block."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr
from annotated import annotated

from zsgate.data import counts as counts_module
from zsgate.data import mapped, read
from zsgate.data.annotations import Columns
from zsgate.data.counts import blocks, matrix_digest, was_checked
from zsgate.data.file import matrix
from zsgate.data.file.anndata_file import open_file
from zsgate.data.file.matrix import Matrix
from zsgate.data.read import read_h5ad
from zsgate.errors import MachineFailed, UsageProblem
from zsgate.metrics import METRICS
from zsgate.metrics.cache import forget

COLUMNS = Columns(label="cell_type", batch="batch", donor="donor", counts="X")


@pytest.fixture
def on_disk(monkeypatch):
    """Make everything too large for memory, and blocks small enough that there are many."""
    monkeypatch.setattr(read, "IN_MEMORY", 1000)
    monkeypatch.setattr(matrix, "BLOCK", 20_000)


@pytest.fixture
def adata(few_cells):
    """Return the few cells with missing labels, poor cells, unsorted rows and stored zeros."""
    made = annotated(few_cells)
    labels = few_cells.cell_types.astype(object)
    labels[:3] = None
    made.obs["cell_type"] = pd.Categorical(labels)
    x = made.X.tolil()
    x[5, :] = 0
    x[5, :9] = 2
    x = x.tocsr()
    x.data[::50] = 0
    made.X = x
    return made


def written(adata, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (adata.write_zarr if path.suffix == ".zarr" else adata.write_h5ad)(path)
    return path


def lies_on_disk(array):
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array is not None


FORMS = {
    "csr": lambda x: x,
    "csc": sp.csc_matrix,
    "dense": lambda x: x.toarray(),
    "int64": lambda x: x.astype(np.int64),
    "float64": lambda x: x.astype(np.float64),
    "uint16": lambda x: x.astype(np.uint16),
}


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
@pytest.mark.parametrize("form", FORMS)
def test_disk_and_memory_give_the_same_dataset(adata, tmp_path, on_disk, monkeypatch, form, suffix):
    """Every form of matrix, in both formats: the digest of all that a model sees is that of the copy in memory."""
    adata.X = FORMS[form](adata.X)
    path = written(adata, tmp_path / f"cells{suffix}")
    here = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    assert was_checked(here.counts)
    assert lies_on_disk(here.counts.data)
    assert lies_on_disk(here.counts.indices)
    monkeypatch.setattr(read, "IN_MEMORY", 1 << 26)
    there = read_h5ad(path, "cells", COLUMNS)
    assert not was_checked(there.counts)
    assert here.digest == there.digest
    assert here.card["notes"] == there.card["notes"]
    assert "1 cells with fewer than 10 detected genes are left out" in here.card["notes"]
    assert (here.counts != there.counts).nnz == 0
    some = np.array([7, 2, 30])
    assert here.subset(some).digest == there.subset(some).digest


def test_a_copy_is_found_again(adata, tmp_path, on_disk, monkeypatch):
    """The second run reads nothing of the matrix; a file that changed gets a copy of its own."""
    path = written(adata, tmp_path / "cells.h5ad")
    first = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(Matrix, "rows", lambda *_: pytest.fail("read again"))
        assert read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache").digest == first.digest
    adata.X = adata.X * 2
    path = written(adata, tmp_path / "cells.h5ad")
    assert read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache").digest != first.digest


def test_a_store_that_is_changed_in_place_gets_a_copy_of_its_own(adata, tmp_path, on_disk):
    """Where a chunk is written anew, the folder that the store is keeps its time."""
    path = written(adata, tmp_path / "cells.zarr")
    first = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    before = path.stat().st_mtime_ns
    values = zarr.open_group(str(path), mode="r+")["X/data"]
    values[:] = values[:] * 3
    assert path.stat().st_mtime_ns == before
    second = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    assert second.counts.sum() == 3 * first.counts.sum()


@pytest.mark.parametrize(("value", "says"), [(-1, "negative"), (0.5, "not integers"), (np.nan, "NaN")])
@pytest.mark.parametrize("counts", ["X", None])
def test_one_bad_number_in_the_last_block_is_found(adata, tmp_path, on_disk, value, says, counts):
    """A sample may miss it; reading every block does not, and no half-made copy is left."""
    x = adata.X.astype(np.float32)
    x.data[len(x.data) * 3 // 4] = value
    adata.X = x
    path = written(adata, tmp_path / "cells.h5ad")
    columns = Columns(label="cell_type", counts=counts)
    with pytest.raises(UsageProblem, match=says):
        read_h5ad(path, "cells", columns, cache=tmp_path / "cache")
    assert not [place for place in (tmp_path / "cache").glob("*") if place.is_dir()]


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize(
    ("part", "value", "says"), [("indices", 5 * 10**7, ""), ("indices", -4, ""), ("indptr", 5 * 10**7, "contradict")]
)
def test_damage_found_while_the_copy_is_made_is_one_sentence(adata, tmp_path, on_disk, form, part, value, says):
    """No sample need have met it; nothing is followed out of its array, and no half-made copy is left."""
    adata.X = FORMS[form](adata.X)
    path = written(adata, tmp_path / "cells.h5ad")
    with h5py.File(path, "r+") as file:
        file[f"X/{part}"][len(file[f"X/{part}"]) // 3] = value
    with pytest.raises(UsageProblem, match=rf"cells.h5ad: X is no matrix of numbers \(.*{says}") as refused:
        read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    assert "\n" not in str(refused.value)
    assert not [place for place in (tmp_path / "cache").glob("*") if place.is_dir()]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system takes room only when it is written to")
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_a_disk_that_is_full_is_one_sentence(adata, tmp_path, form):
    """A limit on the size of files stands for a full disk; in a process of its own, which a signal would end."""
    adata.X = FORMS[form](adata.X)
    path = written(adata, tmp_path / "cells.h5ad")
    code = """
import resource, sys
from pathlib import Path
from zsgate.data import read
from zsgate.system import arrays
from zsgate.data.annotations import Columns
from zsgate.data.read import read_h5ad
read.IN_MEMORY = arrays.IN_MEMORY = 1000
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
path = Path(sys.argv[1])
read_h5ad(path, "cells", Columns(label="cell_type", counts="X"), cache=path.parent / "cache")
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "MachineFailed: " in done.stderr.splitlines()[-1]
    assert str(tmp_path / "cache") in done.stderr.splitlines()[-1]


def test_rounding_happens_on_disk_as_in_memory(adata, tmp_path, on_disk, monkeypatch):
    """Fractional counts of a recipe that rounds become the same integers; what becomes zero is not detected."""
    x = adata.X.astype(np.float32)
    x.data[::7] = np.maximum(x.data[::7] - 0.75, 0)
    adata.X = x
    path = written(adata, tmp_path / "cells.h5ad")
    here = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache", rounding=True)
    monkeypatch.setattr(read, "IN_MEMORY", 1 << 26)
    assert read_h5ad(path, "cells", COLUMNS, rounding=True).digest == here.digest


def test_every_block_is_read_once(adata, tmp_path, on_disk):
    """Blocks follow each other without gap or overlap, whatever their size, also past empty rows."""
    x = sp.vstack([sp.csr_matrix((3, adata.n_vars)), adata.X, sp.csr_matrix((2, adata.n_vars))], format="csr")
    path = written(anndata.AnnData(x.astype(np.float32)), tmp_path / "x.h5ad")
    with open_file(path) as file:
        stored = file.matrix("X")
        for size in (1, 1000, 20_000, 10**9):
            blocks = list(stored.blocks(size))
            assert [first for first, _ in blocks] == np.cumsum([0, *(b.shape[0] for _, b in blocks)])[:-1].tolist()
            assert (sp.vstack([block for _, block in blocks], format="csr") != x).nnz == 0


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "facts", "genes", "renamed"])
def test_a_copy_that_is_damaged_is_made_again(adata, tmp_path, on_disk, capsys, damage):
    """Whichever file of it, and one of another dataset under its name; it is said once, and is sound again."""
    path = written(adata, tmp_path / "cells.h5ad")
    first = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    folder = first.counts.folder
    if damage == "renamed":
        other = read_h5ad(written(adata[:, :2000], tmp_path / "other.h5ad"), "x", COLUMNS, cache=tmp_path / "cache")
        shutil.rmtree(folder)
        other.counts.folder.rename(folder)
    else:
        names = {"gone": "indices", "facts": "facts.json", "genes": "genes.npy"}
        file = folder / names.get(damage, "data")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.unlink()
        if damage != "gone":
            file.write_bytes(content[:-4] if damage == "cut" else content)
    capsys.readouterr()
    for _ in range(2):
        again = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
        assert again.digest == first.digest
        assert matrix_digest(sp.csr_matrix(again.counts, copy=True)) == first.counts.checked_digest
    assert capsys.readouterr().err.count("is not used, for it is damaged or not zsgate's") == 1


def test_a_cache_that_cannot_be_locked_is_one_sentence(adata, tmp_path, on_disk):
    """Counts too large for memory need their copy, so the run says which folder it cannot use."""
    path = written(adata, tmp_path / "cells.h5ad")
    (tmp_path / "cache").write_text("")
    with pytest.raises(MachineFailed, match=r"cache cannot be written to or locked .*ZSGATE_CACHE"):
        read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")


def test_an_anndata_of_counts_on_disk_is_private(adata, tmp_path, on_disk):
    """It shares the copy's pages; what is written to it reaches neither the dataset nor the file."""
    path = written(adata, tmp_path / "cells.h5ad")
    here = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    digest = here.digest
    given = annotated(here)
    assert lies_on_disk(given.X.data)
    assert (here.counts != given.X).nnz == 0
    given.X.data *= 2
    given.X.indices[:] = 0
    again = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    assert (again.counts != here.counts).nnz == 0
    assert matrix_digest(sp.csr_matrix(again.counts, copy=True)) == again.counts.checked_digest
    assert again.digest == digest


def test_columns_are_written_in_the_type_that_they_are_mapped_in(adata, tmp_path, on_disk, monkeypatch):
    """Where int32 cannot count the numbers, SciPy wants int64: then the copy holds it, and is the same dataset."""
    path = written(adata, tmp_path / "cells.h5ad")
    narrow = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "narrow")
    assert mapped.index_type(2**31 - 1) is np.int32
    assert mapped.index_type(2**31) is np.int64
    monkeypatch.setattr(mapped, "MOST_OF_INT32", 1000)
    wide = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "wide")
    assert narrow.digest == wide.digest
    sizes = [next((tmp_path / name).rglob("indices")).stat().st_size for name in ("narrow", "wide")]
    assert sizes == [4 * narrow.counts.nnz, 8 * narrow.counts.nnz]


def test_blocks_of_a_matrix_in_memory_leave_it_alone(adata):
    """Files of old formats are read whole; bringing a block into its form must not change what it was cut from."""
    x = adata.X.astype(np.float32).tocsr()
    x.indices[x.indptr[9] : x.indptr[10]] = x.indices[x.indptr[9] : x.indptr[10]][::-1].copy()
    x.has_sorted_indices = False
    before = x.copy()
    assert (x.data == 0).any()
    found = [block for _, block in Matrix(x, x.shape, "csr").blocks(20_000)]
    assert (sp.vstack(found, format="csr") != before).nnz == 0
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(x, part), getattr(before, part))


def test_pcr_of_counts_on_disk_is_that_of_counts_in_memory(adata, tmp_path, on_disk, monkeypatch):
    """Products block by block give the same components: the comparison within 1e-6, with both leave-outs."""
    adata.obs["donor"] = np.where(np.arange(adata.n_obs) % 3, "one", "other")
    path = written(adata[:, :3000], tmp_path / "cells.h5ad")
    here = read_h5ad(path, "cells", COLUMNS, cache=tmp_path / "cache")
    monkeypatch.setattr(read, "IN_MEMORY", 1 << 26)
    there = read_h5ad(path, "cells", COLUMNS)
    rows = np.random.default_rng(0).normal(size=(here.n_cells, 5)).astype(np.float32)
    whole = METRICS["pcr_comparison"](rows, there)
    forget()
    monkeypatch.setattr(counts_module, "BLOCK", 30_000)
    monkeypatch.setattr("zsgate.data.preprocess.log_normalised", lambda *_: pytest.fail("all in memory"))
    found = METRICS["pcr_comparison"](rows, here)
    assert len(list(blocks(here.counts))) > 2
    assert found.value == pytest.approx(whole.value, abs=1e-6)
    np.testing.assert_allclose(found.leave_outs, whole.leave_outs, atol=1e-6)


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix])
def test_numbers_beyond_float32_are_refused_without_a_warning(adata, on_disk, tmp_path, form):
    """They become infinite on the way, which is what the sentence says of them."""
    adata.X = form(adata.X.astype(np.float64))
    adata.X.data[-1] = 1e300
    with pytest.raises(UsageProblem, match="NaN or infinite values"):
        read_h5ad(written(adata, tmp_path / "cells.h5ad"), "cells", COLUMNS, cache=tmp_path)

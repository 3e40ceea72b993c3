"""Matrices whose parts do not fit together, or hold no counts, are refused before SciPy sees them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from zsgate.data.annotations import Columns
from zsgate.data.file.matrix import Matrix, by_rows
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem

CONTRADICTION = "data, indices and indptr contradict each other"
ENDS = {
    "last too low": lambda ends: ends.__setitem__(-1, ends[-1] - 300),
    "last too high": lambda ends: ends.__setitem__(-1, ends[-1] + 1),
    "last negative": lambda ends: ends.__setitem__(-1, -1),
    "last negative, one huge": lambda ends: (ends.__setitem__(-1, -1), ends.__setitem__(5, 10**9)),
    "first not 0": lambda ends: ends.__setitem__(0, 1),
    "falling": lambda ends: ends.__setitem__(slice(3, 5), ends[[4, 3]]),
}


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix])
@pytest.mark.parametrize("spoil", ENDS.values(), ids=ENDS)
def test_pointers_are_checked_whole(some, form, spoil):
    """Read whole, in blocks, or by columns: never a cell or a count fewer."""
    x = form(some.counts, copy=True)
    spoil(x.indptr)
    parts = {"data": x.data, "indices": x.indices, "indptr": x.indptr}
    matrix = Matrix(parts, x.shape, x.format, "m")
    for read in (matrix.whole, lambda: list(by_rows(matrix).blocks(5000))):
        with pytest.raises(UsageProblem, match=f"m is no matrix of numbers \\({CONTRADICTION}\\)"):
            read()


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix])
def test_half_floats_are_read(some, form):
    """SciPy knows no matrix of them; files hold them."""
    x = form(some.counts, copy=True)
    x.data = np.minimum(x.data, 2000)
    matrix = Matrix({"data": x.data.astype(np.float16), "indices": x.indices, "indptr": x.indptr}, x.shape, x.format)
    assert abs(matrix.whole() - x).max() == 0


def replaced(file, name, values):
    del file[name]
    file[name] = values


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file: replaced(file, "X/indices", file["X/indices"][...] + 0.5), "indices holds float64"),
        (lambda file: replaced(file, "X/indptr", file["X/indptr"][...] * 1.0), "indptr holds float64"),
        (lambda file: replaced(file, "X/data", file["X/data"][...].astype("S3")), r"data holds \|S3"),
        (lambda file: replaced(file, "X/data", file["X/data"][...] + 1j), "data holds complex"),
        (lambda file: replaced(file, "X/data", file["X/data"][:-1]), CONTRADICTION),
        (lambda file: replaced(file, "X/indptr", file["X/indptr"][:-1]), CONTRADICTION),
        (lambda file: file["X/indices"].__setitem__(3, -1), "indices must be >= 0"),
        (lambda file: file["X"].attrs.__setitem__("shape", [240, 10**12]), "X has 240 cells x 1,000,000,000,000 genes"),
        (lambda file: replaced(file, "X", file["X/indptr"][...]), r"its shape is \(241,\)"),
    ],
)
def test_parts_of_another_kind_are_refused(adata, tmp_path, usual, spoil, says):
    """Fractional indices are not cut off, and text is no number."""
    adata.write_h5ad(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        spoil(file)
    with pytest.raises(UsageProblem, match=says):
        read_h5ad(tmp_path / "cells.h5ad", "cells", usual)


def test_what_a_file_claims_to_hold_is_not_believed(adata, tmp_path, usual):
    """A trillion numbers in a matrix of some millions: said, and not waited for."""
    adata.write_h5ad(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        for name in ("data", "indices"):
            kind = file[f"X/{name}"].dtype
            del file[f"X/{name}"]
            file["X"].create_dataset(name, (10**12,), kind)
        file["X/indptr"][-1] = np.iinfo(file["X/indptr"].dtype).max
    with pytest.raises(UsageProblem, match=r"1,000,000,000,000 numbers are claimed for 240 x"):
        read_h5ad(tmp_path / "cells.h5ad", "cells", usual)


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.float64])
@pytest.mark.parametrize("count", [2**24 + 1, 2**31, 2**40])
def test_counts_that_float32_rounds_are_refused(adata, reread, kind, count):
    """The sentence says the limit."""
    x = adata.X.astype(kind)
    x.data[7] = count
    adata.X = x
    with pytest.raises(UsageProblem, match=r"counts of 16,777,216 \(2\^24\) or more"):
        reread(adata)


def test_the_largest_count_is_read(adata, reread):
    """2^24 - 1 is exact."""
    adata.X.data[7] = 2**24 - 1
    assert reread(adata).counts.max() == 2**24 - 1


def test_corrected_counts_are_told_what_to_do(adata, reread):
    """Fractional counts as SoupX and decontX give them; a logarithm is not told so."""
    adata.X = adata.X * 0.93
    with pytest.raises(UsageProblem, match="round what SoupX, decontX or CellBender corrected, or keep the raw counts"):
        reread(adata)
    adata.X = adata.X.log1p()
    with pytest.raises(UsageProblem) as refused:
        reread(adata)
    assert "SoupX" not in str(refused.value)


@pytest.mark.filterwarnings("ignore:.*forward slashes:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*slash.*:FutureWarning")
@pytest.mark.parametrize("place", [None, "layers/counts/raw"])
def test_a_layer_with_a_slash_in_its_name_is_found(adata, some, tmp_path, usual, place):
    """HDF5 makes groups of it: ``layers["counts/raw"]``."""
    adata.write_h5ad(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        file.create_group("layers/counts")
        file.move("X", "layers/counts/raw")
    columns = Columns(label=usual.label, batch=usual.batch, donor=usual.donor, counts=place)
    assert read_h5ad(tmp_path / "cells.h5ad", "cells", columns).digest == some.digest

"""Tables: only the columns that are needed are read, and what is no table is one sentence."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from zsgate.data.file.anndata_file import open_file
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem


@pytest.fixture
def file(adata, tmp_path):
    """Write the cells with a column more and return the path."""
    adata.obs["score"] = np.linspace(0, 1, adata.n_obs)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def changed(path, change):
    with h5py.File(path, "r+") as root:
        change(root)


def replaced(root, name, values):
    attributes = dict(root[name].attrs)
    del root[name]
    root[name] = values
    for key, value in attributes.items():
        root[name].attrs[key] = value


def numbers_for_names(root):
    replaced(root, "obs/_index", np.full(240, np.nan))
    root["obs/_index"].attrs["encoding-type"] = "array"


def test_columns_that_nobody_needs_are_not_read(file, some, usual):
    """Of a newer format, a sparse matrix, or absent: it does not matter."""
    for change in (
        lambda root: root["obs/score"].attrs.__setitem__("encoding-type", "of-the-future"),
        lambda root: (root.pop("obs/score"), root.__setitem__("obs/score", root["X"])),
        lambda root: root.pop("obs/score"),
    ):
        changed(file, change)
        assert read_h5ad(file, "cells", usual).digest == some.digest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda root: root["obs"].attrs.__setitem__("column-order", ["batch", "batch"]), "names column 'batch' twice"),
        (lambda root: root["obs"].attrs.__delitem__("column-order"), "obs is no table ("),
        (lambda root: root["obs"].attrs.__setitem__("_index", "absent"), "obs is no table ("),
        (lambda root: replaced(root, "obs/score", np.zeros(241)), "column 'score' has 241 entries for 240 rows"),
        (lambda root: replaced(root, "obs/score", np.zeros(2)), "column 'score' has 2 entries for 240 rows"),
        (lambda root: replaced(root, "obs/donor/codes", np.full(240, 99, "i1")), "column 'donor' cannot be read ("),
        (lambda root: replaced(root, "obs/donor/categories", np.array(["a", "a"], object)), "column 'donor' cannot"),
        (lambda root: replaced(root, "obs/donor/codes", np.zeros(240)), "column 'donor' cannot be read ("),
        (lambda root: root.pop("obs/batch"), "column 'batch' cannot be read ("),
        (lambda root: replaced(root, "obs/_index", np.zeros((240, 2))), "its names are no list"),
        (numbers_for_names, "obs has no readable names (240 of them are"),
        (lambda root: replaced(root, "var/symbol", np.zeros(3)), "var is no table (column 'symbol' has 3 entries"),
    ],
)
def test_tables_that_are_none_are_one_sentence(file, usual, change, says):
    """Which table and column, and what is wrong with it."""
    changed(file, change)
    with pytest.raises(UsageProblem) as refused:
        read_h5ad(file, "cells", usual)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("column", ["obs/_index", "obs/score", "var/symbol"])
def test_a_terabyte_that_is_claimed_is_not_read(file, usual, column):
    """HDF5 gives zeros for what was never written."""

    def change(root):
        attributes = dict(root[column].attrs)
        del root[column]
        root.create_dataset(column, (1 << 40,), h5py.string_dtype() if "score" not in column else "u1")
        for key, value in attributes.items():
            root[column].attrs[key] = value

    changed(file, change)
    with pytest.raises(UsageProblem, match=r"(has|for) 1,099,511,627,776 (entries|rows)"):
        read_h5ad(file, "cells", usual)


def test_every_cell_a_name(file):
    """A file of nothing but a claim of names is refused before they are read."""

    def change(root):
        for name in list(root["obs"]):
            del root["obs"][name]
        root["obs"].attrs["column-order"] = np.zeros(0)
        root.create_dataset("obs/_index", (1 << 27,), h5py.string_dtype(), chunks=(1 << 20,))

    changed(file, change)
    with open_file(file) as opened, pytest.raises(UsageProblem, match="134,217,728 are claimed, more than the file"):
        len(opened.obs)


def test_tables_of_anndata_0_7_are_read(file, some, usual):
    """Categories lay apart, and a column pointed to them."""

    def change(root):
        for table in ("obs", "var"):
            root[table].attrs["encoding-version"] = "0.1.0"
        apart = root.create_group("obs/__categories")
        for name in ("donor", "batch", "cell_type"):
            codes, categories = root[f"obs/{name}/codes"][...], root[f"obs/{name}/categories"][...]
            del root[f"obs/{name}"]
            root[f"obs/{name}"], apart[name] = codes, categories
            root[f"obs/{name}"].attrs["categories"] = apart[name].ref

    changed(file, change)
    assert read_h5ad(file, "cells", usual).digest == some.digest

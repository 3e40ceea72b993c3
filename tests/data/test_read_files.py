"""Real files, old files and files of other formats."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pytest

from zsgate.data.annotations import Columns
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem


def test_other_formats_are_refused(tmp_path, usual):
    """Only .h5ad and .zarr are read; an empty folder is refused by its name."""
    (tmp_path / "cells.zarr").mkdir()
    with pytest.raises(UsageProblem, match=r"cells.zarr: not a readable .zarr file"):
        read_h5ad(tmp_path / "cells.zarr", "cells", usual)
    (tmp_path / "cells.xlsx").touch()
    with pytest.raises(UsageProblem, match=r"cells.xlsx: datasets are read from .h5ad files and .zarr stores"):
        read_h5ad(tmp_path / "cells.xlsx", "cells", usual)
    (tmp_path / "folder.h5ad").mkdir()
    with pytest.raises(UsageProblem, match=r"folder.h5ad: not a readable .h5ad file"):
        read_h5ad(tmp_path / "folder.h5ad", "cells", usual)


REAL = {
    "heart_san_1000": (1000, 9),
    "kang_ifnb_labelled": (5067, 8),
    "panc8_small": (500, 6),
    "pancreas_hormone2cell_3274": (3274, 9),
    "pbmc4k_scvi_labels": (4009, 9),
    "pbmc_3k4k": (6647, 9),
    "sc_mixology_5batches": (1021, 5),
    "zheng_purified_500": (500, 3),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_load(shared_data, name):
    """Eight published datasets: every cell and label is there, and nine in ten genes have their Ensembl id."""
    dataset = read_h5ad(shared_data / "data" / f"{name}.h5ad", name, Columns(label="cell_type", batch="batch"))
    assert (dataset.n_cells, len(np.unique(dataset.cell_types))) == REAL[name]
    assert dataset.ensembl is not None
    share = np.mean([gene.startswith("ENSG") for gene in dataset.ensembl.tolist()])
    assert share > (0.8 if name == "panc8_small" else 0.99)


def test_all_real_files_are_read(shared_data):
    """The table above names every .h5ad file that is there."""
    assert {path.stem for path in (shared_data / "data").glob("*.h5ad")} == REAL.keys()


def test_real_files_are_anndata_s(shared_data):
    """The counts are those that anndata reads."""
    path = shared_data / "data" / "zheng_purified_500.h5ad"
    dataset = read_h5ad(path, "zheng", Columns(label="cell_type"))
    adata = anndata.read_h5ad(path)
    assert dataset.cell_ids.tolist() == adata.obs_names.tolist()
    known = adata[:, dataset.symbols.tolist()].X
    assert (known != dataset.counts).nnz == 0


def test_files_before_anndata_0_7_are_read(some, tmp_path):
    """Tables stored as records and sparse matrices with the marks of h5sparse, as anndata 0.6 wrote them."""
    path = tmp_path / "old.h5ad"
    types, codes = np.unique(some.cell_types, return_inverse=True)
    with h5py.File(path, "w") as file:
        obs = np.empty(some.n_cells, dtype=[("index", "S40"), ("cell_type", "i4")])
        obs["index"], obs["cell_type"] = some.cell_ids.astype("S40"), codes
        var = np.empty(len(some.symbols), dtype=[("index", "S20"), ("symbol", "S40")])
        var["index"], var["symbol"] = some.ensembl.astype("S20"), some.symbols.astype("S40")
        file["obs"], file["var"] = obs, var
        file["uns/cell_type_categories"] = types.astype("S40")
        x = file.create_group("X")
        x.attrs["h5sparse_format"], x.attrs["h5sparse_shape"] = "csr", some.counts.shape
        x["data"], x["indices"], x["indptr"] = some.counts.data, some.counts.indices, some.counts.indptr
    dataset = read_h5ad(path, "old", Columns(label="cell_type"))
    assert dataset.cell_types.tolist() == some.cell_types.tolist()
    assert dataset.ensembl.tolist() == some.ensembl.tolist()
    assert (dataset.counts != some.counts).nnz == 0

"""Reading: an AnnData in memory is read as its file is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conftest import COLUMNS, of_cells
from zsgate.data.annotations import Columns, strings
from zsgate.data.dataset import Dataset
from zsgate.data.file.in_memory import counts_at, read_anndata
from zsgate.data.read import read_h5ad

FILES = (
    *("heart_san_1000", "kang_ifnb_labelled", "panc8_small", "pancreas_hormone2cell_3274", "pbmc4k_scvi_labels"),
    *("pbmc_3k4k", "sc_mixology_5batches", "zheng_purified_500"),
)
NAMES = st.one_of(st.none(), st.sampled_from(["a", " b ", "nan", "-", "+", "1", "é"]), st.integers(0, 2), st.booleans())


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_is_read_alike_from_memory(shared_data: Path, tmp_path: Path, name: str) -> None:
    """The same digests of counts, genes and cells, so the same keys of the store and the same scores."""
    path, columns = shared_data / "data" / f"{name}.h5ad", Columns(label="cell_type", batch="batch")
    from_file, from_memory = (
        read_h5ad(path, name, columns),
        read_anndata(anndata.read_h5ad(path), columns, tmp_path, name),
    )
    assert from_memory.digest == from_file.digest
    assert from_memory.cells_digest == from_file.cells_digest
    assert from_memory.notes == from_file.notes


def test_an_anndata_on_disk_is_read(few_cells: Dataset, tmp_path: Path) -> None:
    """As ``backed="r"`` opens it."""
    path, columns = tmp_path / "cells.h5ad", Columns(label="cell_type", batch="sample", donor="donor")
    of_cells(few_cells).write_h5ad(path)
    backed = anndata.read_h5ad(path, backed="r")
    (tmp_path / "beside").mkdir()
    assert (
        read_anndata(backed, columns, tmp_path / "beside", "cells").digest == read_h5ad(path, "cells", columns).digest
    )
    backed.file.close()


@pytest.fixture(scope="module")
def plain(few_cells: Dataset) -> anndata.AnnData:
    """Return the cells with the genes that most of them have, which are soon written."""
    adata = of_cells(few_cells)
    common = np.argsort(-np.asarray((adata.X > 0).sum(axis=0)).ravel())[:300]
    return adata[:, common].copy()


@given(st.lists(NAMES, min_size=2, max_size=8), st.sampled_from([object, "category"]))
@settings(max_examples=12, deadline=None)
def test_a_column_of_anything_is_read_as_words(plain: anndata.AnnData, names: list[object], kind: object) -> None:
    """Also one that no file can hold, of strings, numbers and nothing."""
    values = pd.Series([names[place % len(names)] for place in range(plain.n_obs)], dtype=object)
    adata = plain.copy()
    adata.obs["sample"] = values.astype(kind).to_numpy() if kind is object else values.astype(kind).array
    expected = strings(adata.obs["sample"])
    assume((expected != "").any())
    with TemporaryDirectory() as folder:
        found = read_anndata(adata, Columns(label="cell_type", batch="sample"), Path(folder), "cells")
    assert found.batches is not None
    named = dict(zip(adata.obs_names, expected.tolist(), strict=True))
    assert found.batches.tolist() == [named[cell] for cell in found.cell_ids.tolist()]
    assert set(found.batches.tolist()) == set(named.values()) - {""}


def test_counts_are_found_where_they_are_said_to_be() -> None:
    """A layer by its name."""
    columns = Columns(label=COLUMNS["label_key"])
    assert [counts_at(columns, layer).counts for layer in (None, "X", "raw", "umi")] == [None, "X", "raw", "layers/umi"]

"""Rows that somebody computed already are aligned by cell id, whatever file they come in, or refused by name."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from zsgate.errors import UsageProblem
from zsgate.models import load
from zsgate.models.precomputed import Precomputed

UNREADABLE = r"few_cells\.\w+: (cannot read the embeddings|not a readable \.h5ad file) \(.*\)$"
ORDER = np.random.default_rng(0).permutation(240)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).normal(size=(240, 5)).astype(np.float32)


def npy(folder, rows, ids):
    np.save(folder / "few_cells.npy", rows)
    (folder / "few_cells.ids.txt").write_text("\n".join(ids) + "\n", encoding="utf-8-sig")
    return folder / "few_cells.npy"


def npz(folder, rows, ids):
    np.savez(folder / "few_cells.npz", X=rows, ids=ids)
    return folder / "few_cells.npz"


def parquet(folder, rows, ids):
    frame = pd.DataFrame(rows, index=ids, columns=[f"d{i}" for i in range(rows.shape[1])])
    frame.to_parquet(folder / "few_cells.parquet")
    return folder / "few_cells.parquet"


def h5ad(folder, rows, ids, **more):
    obs = pd.DataFrame(index=pd.Index(np.asarray(ids).astype(object)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata's own, about names that repeat
        anndata.AnnData(obs=obs, obsm={"X_mine": rows, **more}).write_h5ad(folder / "few_cells.h5ad")
    return folder / "few_cells.h5ad"


FORMATS = pytest.mark.parametrize("write", [npy, npz, parquet, h5ad])


@FORMATS
@pytest.mark.parametrize("whole_folder", [False, True])
def test_rows_are_put_in_the_dataset_s_order(few_cells, rows, tmp_path, write, whole_folder):
    """Permuted ids bring permuted rows; a folder is asked for the file named after the dataset."""
    path = write(tmp_path, rows[ORDER], few_cells.cell_ids[ORDER])
    found = Precomputed(tmp_path if whole_folder else path).embed(few_cells)
    np.testing.assert_array_equal(found, rows)


def test_a_key_chooses_among_many(few_cells, rows, tmp_path):
    """With several obsm keys one is named after #; sparse and data-frame entries are read too."""
    frame = pd.DataFrame(rows + 1, index=few_cells.cell_ids.astype(object), columns=list("abcde"))
    path = h5ad(tmp_path, rows, few_cells.cell_ids, X_sparse=sp.csr_matrix(rows), X_frame=frame)
    np.testing.assert_array_equal(load(f"{path}#X_mine").embed(few_cells), rows)
    np.testing.assert_array_equal(load(f"{path}#X_sparse").embed(few_cells), rows)
    np.testing.assert_array_equal(load(f"{path}#X_frame").embed(few_cells), rows + 1)
    with pytest.raises(UsageProblem, match=r"which of obsm X_frame, X_mine, X_sparse is the embedding\? Say .*#KEY"):
        load(str(path)).embed(few_cells)
    with pytest.raises(UsageProblem, match="no obsm key 'X_mein'; it has X_frame, X_mine, X_sparse"):
        load(f"{path}#X_mein").embed(few_cells)


@FORMATS
@pytest.mark.parametrize(
    ("keep", "rename", "says"),
    [
        (slice(1, None), {}, r"few_cells\.\w+ for dataset 'few_cells' lacks 1 cells: {first}$"),
        (slice(None), {0: "stranger"}, "lacks 1 cells: {first}; has extra 1 cells: stranger$"),
        (slice(None), {0: "second"}, "1 duplicate cell names \\({second}\\)"),
        (slice(0, 200), {}, r"lacks 40 cells: ([^,]+, ){{10}}\.\.\.$"),
    ],
)
def test_other_cells_are_refused_by_name(few_cells, rows, tmp_path, write, keep, rename, says):
    """Missing, extra and duplicate ids are named, ten at most, whichever format holds them."""
    first, second = few_cells.cell_ids[:2].tolist()
    ids = few_cells.cell_ids.astype(object)
    for place, name in rename.items():
        ids[place] = second if name == "second" else name
    path = write(tmp_path, rows[keep], ids[keep].astype(str))
    with pytest.raises(UsageProblem, match=says.format(first=first, second=second)):
        Precomputed(path).embed(few_cells)


@pytest.mark.parametrize("write", [npy, npz])
def test_rows_and_ids_must_be_as_many(few_cells, rows, tmp_path, write):
    """A file whose rows and ids differ in number is refused."""
    path = write(tmp_path, rows[1:], few_cells.cell_ids)
    with pytest.raises(UsageProblem, match="239 rows but 240 cell ids"):
        Precomputed(path).embed(few_cells)


@pytest.mark.parametrize("bad", [np.float32(1), np.zeros(240), np.zeros((240, 2, 2)), np.full((240, 2), "x")])
def test_what_is_no_matrix_of_numbers_is_refused(few_cells, tmp_path, bad):
    """Scalars, vectors, cubes and strings, before anything runs."""
    path = npz(tmp_path, bad, few_cells.cell_ids)
    with pytest.raises(UsageProblem, match="a matrix of numbers is needed, one row a cell, not "):
        Precomputed(path).embed(few_cells)


def test_a_dimension_of_text_is_refused(few_cells, rows, tmp_path):
    """A table of whose dimensions one is no number is no embedding."""
    path = parquet(tmp_path, rows, few_cells.cell_ids)
    pd.read_parquet(path).assign(d3="x").to_parquet(path)
    with pytest.raises(UsageProblem, match="a matrix of numbers is needed"):
        Precomputed(path).embed(few_cells)


def test_ids_saved_as_objects_are_not_unpickled(few_cells, rows, tmp_path):
    """np.savez(ids=adata.obs_names) pickles; the sentence says what to save instead."""
    path = npz(tmp_path, rows, few_cells.cell_ids.astype(object))
    with pytest.raises(UsageProblem, match=r"ids=adata.obs_names.to_numpy\(str\)"):
        Precomputed(path).embed(few_cells)


@FORMATS
def test_a_damaged_file_is_refused(few_cells, rows, tmp_path, write):
    """Half a file is one sentence with its name, and no open file is left behind."""
    path = write(tmp_path, rows, few_cells.cell_ids)
    content = path.read_bytes()
    for size in (len(content) // 2, 3, 0):
        path.write_bytes(content[:size])
        with pytest.raises(
            UsageProblem, match=r"few_cells\.\w+: (cannot read the embeddings|not a readable \.h5ad file) \(.*\)$"
        ):
            Precomputed(path).embed(few_cells)


def test_what_is_missing_is_named(few_cells, rows, tmp_path):
    """Ids beside .npy, keys in .npz, entries in obsm, the dataset's file in a folder; keys belong to .h5ad."""
    np.save(tmp_path / "few_cells.npy", rows)
    with pytest.raises(UsageProblem, match=r"few_cells.ids.txt must lie beside it, one cell id a line"):
        Precomputed(tmp_path / "few_cells.npy").embed(few_cells)
    np.savez(tmp_path / "a.npz", rows=rows, ids=few_cells.cell_ids)
    with pytest.raises(UsageProblem, match="expected the keys X and ids, found rows, ids"):
        Precomputed(tmp_path / "a.npz").embed(few_cells)
    with pytest.raises(UsageProblem, match=r"a.npz#X_mine: only an .h5ad file has keys"):
        Precomputed(tmp_path / "a.npz", key="X_mine").embed(few_cells)
    few_cells.to_anndata().write_h5ad(tmp_path / "b.h5ad")
    with pytest.raises(UsageProblem, match="nothing in obsm"):
        Precomputed(tmp_path / "b.h5ad").embed(few_cells)
    (tmp_path / "rows.csv").write_text("1,2")
    with pytest.raises(UsageProblem, match=r"rows.csv: embeddings come as .npy, .npz, .h5ad, .parquet"):
        Precomputed(tmp_path / "rows.csv").embed(few_cells)
    other = few_cells.subset(np.arange(240), name="other")
    with pytest.raises(UsageProblem, match=r"no embeddings of 'other'; expected other with one of .npy, .npz"):
        Precomputed(tmp_path).embed(other)


def test_two_files_for_one_dataset_are_refused(few_cells, rows, tmp_path):
    """A folder that holds the dataset twice does not say which counts."""
    npy(tmp_path, rows, few_cells.cell_ids)
    npz(tmp_path, rows + 1, few_cells.cell_ids)
    with pytest.raises(
        UsageProblem, match=r"which holds the embeddings of 'few_cells': few_cells.npy, few_cells.npz\?"
    ):
        Precomputed(tmp_path).embed(few_cells)


def test_a_file_has_no_twin_and_no_fingerprint(tmp_path, few_cells, rows):
    """Nothing untrained can be made of rows; they are read anew in every run, and named after their file."""
    adapter = load(str(npz(tmp_path, rows, few_cells.cell_ids)))
    assert not hasattr(adapter, "random_init")
    assert adapter.fingerprint is None
    assert (adapter.info.name, adapter.info.independent_cells) == ("few_cells", False)


def test_rows_of_cells_that_were_not_drawn_may_be_there(pancreas, tmp_path):
    """Embeddings of the whole dataset serve its quick draw, and the card says how many rows are left out."""
    ids = pancreas.drawn_from
    assert len(ids) == 3274
    whole = np.arange(len(ids), dtype=np.float32)[:, None] * [1.0, 2.0]
    np.savez(tmp_path / "pancreas_quick.npz", X=whole, ids=ids)
    model = Precomputed(tmp_path)
    rows = model.embed(pancreas)
    assert ids[rows[:, 0].astype(int)].tolist() == pancreas.cell_ids.tolist()
    assert any(
        "1,774 rows of cells that pancreas_quick leaves out or does not draw" in note for note in model.info.notes
    )
    np.savez(tmp_path / "pancreas_quick.npz", X=np.vstack([whole, whole[:1]]), ids=[*ids, "stranger"])
    with pytest.raises(UsageProblem, match="has extra 1 cells: stranger"):
        model.embed(pancreas)

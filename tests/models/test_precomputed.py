"""Rows that somebody computed already are aligned by cell id, whatever file they come in, or refused by name."""

from __future__ import annotations

import re
import warnings
import zipfile
from dataclasses import replace

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from zsgate.data.annotations import Columns
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem
from zsgate.models import load
from zsgate.models.precomputed.adapter import Precomputed

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


@FORMATS
def test_cells_that_were_filtered_out_may_be_there(few_cells, rows, tmp_path, write):
    """Embeddings of all cells of a file serve the ones that are judged on, whatever the others are called."""
    judged = replace(few_cells.subset(np.arange(200)), drawn_from=few_cells.cell_ids)
    ids = few_cells.cell_ids.copy()
    ids[239] = ids[238]  # of two cells that are not judged on, a name that repeats does not matter
    model = Precomputed(write(tmp_path, rows[ORDER], ids[ORDER]))
    np.testing.assert_array_equal(model.embed(judged), rows[:200])
    assert any("40 rows of cells that few_cells leaves out" in note for note in model.info.notes)
    with pytest.raises(UsageProblem, match="has extra 1 cells: stranger"):
        Precomputed(write(tmp_path, rows, np.append(few_cells.cell_ids[:239], "stranger"))).embed(judged)


def test_the_embedding_of_a_file_fits_its_cells(few_cells, rows, tmp_path):
    """Obsm of the very file, of which the gate drops cells without a label."""
    adata = few_cells.to_anndata()
    labels = few_cells.cell_types.astype(object)
    labels[::10] = None
    adata.obs["cell_type"], adata.obsm["X_mine"] = pd.Categorical(labels), rows
    adata.write_h5ad(tmp_path / "lab.h5ad")
    dataset = read_h5ad(tmp_path / "lab.h5ad", "lab", Columns(label="cell_type"))
    kept = np.arange(240) % 10 > 0
    np.testing.assert_array_equal(load(f"{tmp_path}/lab.h5ad#X_mine").embed(dataset), rows[kept])


@pytest.mark.parametrize("names", [list("01234"), [f"PC_{i}" for i in range(1, 6)], [f"d{i}" for i in range(5)]])
def test_columns_beside_the_dimensions_are_not_taken(few_cells, rows, tmp_path, names):
    """A number of counts, a cluster or a text is no dimension; the card names them."""
    frame = pd.DataFrame(rows, index=few_cells.cell_ids, columns=names)
    more = frame.assign(n_counts=1e4, leiden=3, label="x", pct_counts_in_top_50=0.5)
    more.to_parquet(tmp_path / "few_cells.parquet")
    model = Precomputed(tmp_path / "few_cells.parquet")
    np.testing.assert_array_equal(model.embed(few_cells), rows)
    said = "4 columns that are no dimensions are not taken: n_counts, leiden, label, pct_counts_in_top_50"
    assert said in model.info.notes


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["umap1", "umap2", "d0", "d1", "d2"], "which columns are the embedding: umap1, d0, ..."),
        (["x", "y", "z", "depth", "cluster"], "which columns are the embedding: x, y, z, depth, cluster, ..."),
    ],
)
def test_columns_that_could_be_anything_are_asked_about(few_cells, rows, tmp_path, columns, says):
    """Two series of numbers, or whole numbers beside others and no series."""
    frame = pd.DataFrame(rows, index=few_cells.cell_ids, columns=columns)
    frame = frame.astype({"cluster": int}) if "cluster" in columns else frame
    frame.to_parquet(tmp_path / "few_cells.parquet")
    with pytest.raises(UsageProblem, match=re.escape(says)):
        Precomputed(tmp_path / "few_cells.parquet").embed(few_cells)


def test_ids_in_a_column_are_named(few_cells, rows, tmp_path):
    """A table whose index only counts: the sentence says what to type."""
    pd.DataFrame(rows).add_prefix("d").assign(cell=few_cells.cell_ids).to_parquet(tmp_path / "few_cells.parquet")
    with pytest.raises(UsageProblem, match=r"frame.set_index\('cell'\).to_parquet\('few_cells.parquet'\)"):
        Precomputed(tmp_path / "few_cells.parquet").embed(few_cells)


def test_what_is_no_list_of_ids_is_refused(few_cells, rows, tmp_path):
    """Two-dimensional ids, missing ids, and an archive whose X is no array."""
    for ids, says in (
        (few_cells.cell_ids[:, None], r"one id a cell is needed, not ids of shape \(240, 1\)"),
        (np.full(240, np.nan), r"240 of the ids are missing \(NaN\)"),
    ):
        with pytest.raises(UsageProblem, match=says):
            Precomputed(npz(tmp_path, rows, ids)).embed(few_cells)
    path = npz(tmp_path, rows, few_cells.cell_ids)
    with np.load(path) as archive, zipfile.ZipFile(tmp_path / "text.npz", "w") as spoilt:
        spoilt.writestr("X.npy", "no array")
        with spoilt.open("ids.npy", "w") as stream:
            np.save(stream, archive["ids"])
    with pytest.raises(UsageProblem, match=r"text.npz: X is no array"):
        Precomputed(tmp_path / "text.npz").embed(few_cells)
    path.rename(tmp_path / "few_cells.npy")
    (tmp_path / "few_cells.ids.txt").write_text("\n".join(few_cells.cell_ids))
    with pytest.raises(UsageProblem, match=r"few_cells.npy: cannot read the embeddings \(the magic string"):
        Precomputed(tmp_path / "few_cells.npy").embed(few_cells)
    frame = pd.DataFrame(rows, index=pd.Index([None, *few_cells.cell_ids[1:]], dtype=object)).add_prefix("d")
    frame.to_parquet(tmp_path / "few_cells.parquet")
    with pytest.raises(UsageProblem, match=r"1 of the ids are missing"):
        Precomputed(tmp_path / "few_cells.parquet").embed(few_cells)


def test_endings_in_capitals_are_endings(few_cells, rows, tmp_path):
    """.H5AD and .NPZ are what they are in small letters."""
    path = npz(tmp_path, rows, few_cells.cell_ids)
    np.testing.assert_array_equal(load(str(path.rename(tmp_path / "A.NPZ"))).embed(few_cells), rows)
    path = h5ad(tmp_path, rows, few_cells.cell_ids)
    np.testing.assert_array_equal(load(str(path.rename(tmp_path / "A.H5AD"))).embed(few_cells), rows)


def test_files_before_anndata_0_7_have_embeddings(few_cells, rows, tmp_path):
    """Obsm is an array of records there."""
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        obs = np.empty(240, dtype=[("index", "S60")])
        obs["index"] = few_cells.cell_ids.astype("S60")
        obsm = np.empty(240, dtype=[("X_mine", "f4", 5)])
        obsm["X_mine"] = rows
        file["obs"], file["obsm"] = obs, obsm
    np.testing.assert_array_equal(load(f"{tmp_path}/old.h5ad").embed(few_cells), rows)

"""Reading .h5ad: every dialect in use gives the same dataset, and every fault one sentence."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from zsgate.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.genes import are_ensembl, gene_names, strings
from zsgate.reading import Columns, read_h5ad, without_rare_genes

COLUMNS = Columns(label="cell_type", batch="batch", donor="donor")


@pytest.fixture(scope="session")
def some(few_cells) -> Dataset:
    """Return the few cells with the genes that a file of them keeps."""
    return without_rare_genes(few_cells)


@pytest.fixture
def adata(some):
    """Return the few cells as an AnnData with labels and symbols, as a lab would keep it."""
    made = some.to_anndata()
    made.var_names = pd.Index(some.ensembl.astype(object))
    made.obs["cell_type"] = pd.Categorical(some.cell_types.astype(object))
    return made


@pytest.fixture
def reread(tmp_path):
    """Write an AnnData and read it as a dataset."""

    def reread(adata, columns=COLUMNS, **rest):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # anndata's own, about names that repeat
            adata.write_h5ad(tmp_path / "cells.h5ad")
        return read_h5ad(tmp_path / "cells.h5ad", "cells", columns, **rest)

    return reread


def test_a_plain_file_is_read_as_it_is(adata, some, reread):
    """Counts, names, labels, batches and donors come back; the note says where the counts were."""
    dataset = reread(adata, card={"source": "here", "notes": ["first"]}, scope="cells")
    assert (dataset.name, dataset.scope, dataset.card["source"]) == ("cells", "cells", "here")
    assert dataset.digest == some.digest
    assert dataset.card["notes"] == ["first", "counts taken from X"]
    assert dataset.symbols.tolist() == some.symbols.tolist()


def in_raw(adata):
    adata.raw = adata.copy()
    adata.X = adata.X.log1p()


def in_layer(adata):
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.log1p()


def in_layer_without_x(adata):
    adata.layers["counts"] = adata.X.copy()
    adata.X = None


def in_another_layer(adata):
    adata.layers["umis"] = adata.X.copy()
    adata.X = adata.X.log1p()


def in_raw_behind_a_log_layer(adata):
    adata.raw = adata.copy()
    adata.layers["counts"] = adata.X = adata.X.log1p()


def as_csc(adata):
    adata.X = adata.X.tocsc()


def as_dense_integers(adata):
    adata.X = adata.X.toarray().astype(np.int64)


def as_float64(adata):
    adata.X = adata.X.astype(np.float64)


def with_stored_zeros(adata):
    rows, columns = adata.X.nonzero()
    zeros = np.setdiff1d(np.arange(adata.n_vars), columns[rows == 0])[:50]
    entries = (np.append(adata.X.data, np.zeros(50)), (np.append(rows, np.zeros(50)), np.append(columns, zeros)))
    stored = sp.csr_matrix(entries, shape=adata.shape)
    assert stored.nnz == adata.X.nnz + 50
    adata.X = stored


def unsorted(adata):
    x = adata.X.tocsr()
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(x.indptr[:-1], x.indptr[1:], strict=True)])
    adata.X = sp.csr_matrix((x.data[order], x.indices[order], x.indptr), shape=x.shape)


def string_columns(adata):
    adata.obs = adata.obs.astype(str)


@pytest.mark.parametrize(
    ("write", "place"),
    [
        (in_raw, None),
        (in_raw, "raw"),
        (in_layer, None),
        (in_layer, "layers/counts"),
        (in_layer_without_x, None),
        (in_another_layer, "layers/umis"),
        (in_raw_behind_a_log_layer, None),
        (as_csc, None),
        (as_csc, "X"),
        (as_dense_integers, None),
        (as_float64, None),
        (with_stored_zeros, None),
        (unsorted, None),
        (string_columns, None),
    ],
)
def test_every_dialect_gives_the_same_dataset(adata, some, reread, write, place):
    """X, raw or a layer; CSR, CSC or dense; integers or floats; entries in any order; strings or categories."""
    write(adata)
    columns = Columns(label="cell_type", batch="batch", donor="donor", counts=place)
    assert reread(adata, columns).digest == some.digest


def test_genes_of_raw_are_its_own(adata, some, reread):
    """Counts in raw bring raw's genes, of which X has only some."""
    adata.raw = adata.copy()
    cut = adata[:, :100].copy()
    cut.X = cut.X.log1p()
    assert reread(cut).symbols.tolist() == some.symbols.tolist()


def test_reading_changes_nothing(adata, reread, tmp_path):
    """The file's bytes are those that were written."""
    with_stored_zeros(adata)
    adata.write_h5ad(tmp_path / "kept.h5ad")
    before = hashlib.sha256((tmp_path / "kept.h5ad").read_bytes()).hexdigest()
    read_h5ad(tmp_path / "kept.h5ad", "kept", COLUMNS)
    assert hashlib.sha256((tmp_path / "kept.h5ad").read_bytes()).hexdigest() == before


def test_cells_without_label_batch_or_donor_are_left_out(adata, reread):
    """Missing values of any spelling drop the cell, and the card counts them column by column."""
    obs = adata.obs.astype(object)
    obs.iloc[0, obs.columns.get_loc("cell_type")] = np.nan
    obs.iloc[1, obs.columns.get_loc("donor")] = "nan"
    obs.iloc[2, obs.columns.get_loc("batch")] = ""
    obs.iloc[3, obs.columns.get_loc("cell_type")] = np.nan
    adata.obs = obs
    dataset = reread(adata)
    assert dataset.cell_ids.tolist() == adata.obs_names[4:].tolist()
    notes = dataset.card["notes"]
    for said in ("2 cells without a label", "1 cells without a donor", "1 cells without a batch"):
        assert f"{said} are left out" in notes


def test_cells_and_genes_are_filtered_as_in_the_paper(adata, reread):
    """A cell needs 10 detected genes and a gene 10 cells, counted after the cells are gone."""
    x = adata.X.tolil()
    x[:2, :] = 0
    x[0, :9] = x[1, :10] = 1
    adata.X = x.tocsr()
    dataset = reread(adata)
    assert dataset.cell_ids.tolist() == adata.obs_names[1:].tolist()
    assert "1 cells with fewer than 10 detected genes are left out" in dataset.card["notes"]
    assert np.diff(dataset.counts.tocsc().indptr).min() == 10


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1.0, 2.0, np.nan], ["1", "2", ""]),
        ([1.0, 10.0, 2.0], ["1", "10", "2"]),
        ([3, 4, 5], ["3", "4", "5"]),
        ([True, False, True], ["True", "False", "True"]),
        (pd.array([1, None, 2], dtype="Int64"), ["1", "", "2"]),
        (pd.array(["a", None, "b"], dtype="string"), ["a", "", "b"]),
        (pd.Categorical(["a", None, "NA"]), ["a", "", ""]),
        (["nan", "<NA>", "B cell"], ["", "", "B cell"]),
    ],
)
def test_columns_are_read_as_strings(values, texts):
    """Numbers, booleans, categories and missing values: whole numbers have no point, missing ones are empty."""
    assert strings(pd.Series(values)).tolist() == texts


def symbols_in_index(var):
    var.index = var["symbol"].to_numpy()
    return var.rename(columns={"ensembl_id": "gene_ids"}).drop(columns="symbol")


def versions_in_index(var):
    var.index = [f"{name}.{i % 20}" for i, name in enumerate(var.index)]
    return var.drop(columns="ensembl_id").rename(columns={"symbol": "feature_name"})


def versions_in_column(var):
    var.index = var["symbol"].to_numpy()
    var["ensembl_id"] = [f"{name}.3" for name in var["ensembl_id"]]
    return var


def numbers_in_index(var):
    var.index = [str(i) for i in range(len(var))]
    return var.rename(columns={"symbol": "Gene_Symbol"})


@pytest.mark.parametrize("write", [symbols_in_index, versions_in_index, versions_in_column, numbers_in_index])
def test_genes_are_found_where_tools_write_them(adata, some, reread, write):
    """Symbols or Ensembl ids in the index, the others in a column, with or without versions."""
    adata.var = write(adata.var)
    dataset = reread(adata)
    assert dataset.symbols.tolist() == some.symbols.tolist()
    assert dataset.ensembl.tolist() == some.ensembl.tolist()


def test_symbols_alone_are_enough(adata, some, reread):
    """Without ids there are none; without symbols the ids stand in."""
    adata.var = symbols_in_index(adata.var)[[]]
    assert reread(adata).ensembl is None
    adata.var = pd.DataFrame(index=pd.Index(some.ensembl.astype(object)))
    assert reread(adata).symbols.tolist() == some.ensembl.tolist()


def test_a_gene_without_an_id_keeps_its_name():
    """Missing and repeated ids cost those genes their id, not all genes theirs; a remark counts them."""
    ids = [f"ENSG{i:011d}" for i in range(20)]
    names = [f"G{i}" for i in range(20)]
    var = pd.DataFrame({"ensembl_id": ["", None, *ids[2:19], ids[18]]}, index=names)
    symbols, ensembl, remarks = gene_names(var)
    assert symbols.tolist() == names
    assert ensembl.tolist() == ["G0", "G1", *ids[2:19], "G19"]
    assert remarks == ["3 genes without an Ensembl id of their own go by their name"]


def test_genes_of_the_y_chromosome_s_second_copy_stay_apart():
    """GENCODE's ids with _PAR_Y name the second copy of a gene of X: the version goes, the copy keeps its name."""
    ids = [f"ENSG{i:011d}.2" for i in range(11)] + ["ENSG00000000003.2_PAR_Y"]
    symbols, ensembl, _ = gene_names(pd.DataFrame({"gene_name": [f"G{i}" for i in range(11)] + [np.nan]}, index=ids))
    assert ensembl.tolist() == [name[:15] for name in ids[:11]] + ids[11:]
    assert symbols.tolist() == [f"G{i}" for i in range(11)] + ids[11:]


def test_a_column_of_something_else_holds_no_ids():
    """A column named gene_id that holds other ids is not taken for Ensembl's."""
    var = pd.DataFrame({"gene_id": ["7157", "1956"], "feature_id": ["ENSG00000141510", ""]}, index=["TP53", "EGFR"])
    assert gene_names(var)[1].tolist() == ["ENSG00000141510", "EGFR"]
    assert gene_names(var[["gene_id"]])[1] is None
    assert not are_ensembl(np.array(["", ""]))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (Columns(), "which column holds the cell types? Say --label NAME; obs has batch, donor, cell_type"),
        (Columns(label="celltype"), "no column 'celltype' for --label; did you mean 'cell_type'?"),
        (Columns(label="CELL_TYPE"), "no column 'CELL_TYPE' for --label; did you mean 'cell_type'?"),
        (Columns(label="cell_type", batch="xyz"), "no column 'xyz' for --batch; obs has batch, donor, cell_type"),
        (Columns(label="cell_type", donor="doner"), "no column 'doner' for --donor; did you mean 'donor'?"),
        (Columns(label="cell_type", counts="counts"), "no counts at 'counts'; the file has X"),
        (Columns(label="cell_type", counts="raw"), "no counts at 'raw'; the file has X"),
        (Columns(label="cell_type", counts="layers/x"), "no counts at 'layers/x'; the file has X"),
    ],
)
def test_places_that_are_not_there_are_refused(adata, reread, columns, says):
    """The sentence names the file, the option and the nearest name or what there is."""
    with pytest.raises(UsageProblem) as refused:
        reread(adata, columns)
    assert str(refused.value) == f"cells.h5ad: {says}"


def halved(adata):
    adata.X = adata.X * 0.5


def negative(adata):
    adata.X.data[0] = -3


def nan(adata):
    adata.X.data[0] = np.nan


def no_x(adata):
    adata.X = None
    adata.layers["spliced"] = adata.layers["unspliced"] = sp.csr_matrix(adata.shape, dtype=np.float32)


def logged(adata):
    in_raw(adata)
    adata.raw = adata.copy()
    adata.layers["umis"] = adata.X.copy()


def nothing_detected(adata):
    adata.X = sp.csr_matrix(adata.shape, dtype=np.float32)


def all_unlabelled(adata):
    adata.obs["cell_type"] = pd.Series([np.nan] * adata.n_obs, index=adata.obs_names, dtype="category")


def one_label(adata):
    adata.obs["cell_type"] = "all the same"


def cells_as_labels(adata):
    adata.obs["cell_type"] = adata.obs_names.to_numpy()


def scores_as_labels(adata):
    adata.obs["cell_type"] = np.linspace(0, 1, adata.n_obs)


def twice_the_cell(adata):
    adata.obs_names = [*adata.obs_names[:-1], adata.obs_names[0]]


def twice_the_gene(adata):
    adata.var_names = [*adata.var_names[:-1], adata.var_names[0]]


def twice_the_symbol(adata):
    adata.var = symbols_in_index(adata.var)[[]]
    adata.var_names = [*adata.var_names[:-1], adata.var_names[0]]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (halved, "no raw counts found: X holds numbers that are not integers ("),
        (halved, "; say with --counts where they are (the file has X)"),
        (negative, "X holds negative values (smallest -3)"),
        (nan, "X holds NaN or infinite values"),
        (no_x, "neither layers/counts nor raw nor X is there"),
        (no_x, "(the file has layers/spliced, layers/unspliced)"),
        (logged, "raw holds numbers that are not integers ("),
        (logged, "(the file has layers/umis, raw, X)"),
        (nothing_detected, "no cell has both a label and 10 detected genes"),
        (all_unlabelled, "no cell has both a label and 10 detected genes"),
        (one_label, "column 'cell_type' for --label has 1 distinct value; at least two are needed"),
        (cells_as_labels, "has 240 distinct values in 240 cells; cell types have several cells each"),
        (scores_as_labels, "column 'cell_type' for --label holds fractional numbers, not names"),
        (twice_the_cell, "1 duplicate cell names ("),
        (twice_the_gene, "1 duplicate gene names (ENSG"),
        (twice_the_symbol, "1 duplicate gene names ("),
    ],
)
def test_faults_are_said_in_one_sentence(adata, reread, spoil, says):
    """What is wrong, where, and what would do."""
    spoil(adata)
    with pytest.raises(UsageProblem) as refused:
        reread(adata)
    assert says in str(refused.value)
    assert "cells" in str(refused.value).split(":")[0]
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("spoil", "says"), [(halved, "not integers"), (negative, "negative"), (nan, "NaN")])
def test_a_place_named_by_the_user_is_checked_too(adata, reread, spoil, says):
    """--counts X with values that are no counts says so, and never looks elsewhere."""
    adata.layers["counts"] = adata.X.copy()
    spoil(adata)
    with pytest.raises(UsageProblem, match=rf"cells.h5ad \(X\): the counts hold .*{says}.*raw counts are needed"):
        reread(adata, Columns(label="cell_type", counts="X"))


def test_a_matrix_with_too_few_cells_has_no_genes(adata, reread):
    """Nine cells leave no gene that ten cells have."""
    few = adata[:9].copy()
    few.obs["cell_type"] = list("ababababa")
    with pytest.raises(UsageProblem, match="no gene is seen in 10 of its 9 cells"):
        reread(few)


def damaged(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def text(path):
    path.write_text("cell,gene\n")


def other_hdf5(path):
    with h5py.File(path, "w") as file:
        file["something"] = [1, 2]


def newer_format(path):
    with h5py.File(path, "r+") as file:
        file["obs/donor"].attrs["encoding-type"] = "of-the-future"


def damaged_indices(path):
    with h5py.File(path, "r+") as file:
        file["X/indices"][0] = 10**6


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damaged, "not a readable .h5ad file (Unable to synchronously open file (truncated file"),
        (text, "not a readable .h5ad file"),
        (other_hdf5, "not a readable .h5ad file"),
        (newer_format, "You may need to update your installation of anndata"),
        (damaged_indices, "X is no matrix of numbers (indices must be < "),
        (Path.unlink, "no such file"),
    ],
)
def test_files_that_are_none_are_refused(adata, tmp_path, spoil, says):
    """Truncated, foreign, newer or missing files: one line with the file's name, whatever library stumbled."""
    path = tmp_path / "cells.h5ad"
    adata.write_h5ad(path)
    spoil(path)
    with pytest.raises(UsageProblem) as refused:
        read_h5ad(path, "cells", COLUMNS)
    assert says in str(refused.value)
    assert "cells.h5ad: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_other_formats_are_refused(tmp_path):
    """Only .h5ad and .zarr are read; an empty folder is refused by its name."""
    (tmp_path / "cells.zarr").mkdir()
    with pytest.raises(UsageProblem, match=r"cells.zarr: not a readable .zarr file"):
        read_h5ad(tmp_path / "cells.zarr", "cells", COLUMNS)
    with pytest.raises(UsageProblem, match=r"cells.csv: datasets are read from .h5ad files and .zarr stores"):
        read_h5ad(tmp_path / "cells.csv", "cells", COLUMNS)
    (tmp_path / "folder.h5ad").mkdir()
    with pytest.raises(UsageProblem, match=r"folder.h5ad: not a readable .h5ad file"):
        read_h5ad(tmp_path / "folder.h5ad", "cells", COLUMNS)


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

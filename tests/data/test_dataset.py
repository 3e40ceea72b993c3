"""Datasets: the input contract, units of a verdict, and what digests tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from zsgate.data.counts import as_counts
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem

CELLS = np.array(["c1", "c2", "c3", "c4"])
TOY = Dataset(
    name="toy",
    counts=as_counts([[1, 0, 2], [0, 3, 0], [4, 0, 0], [0, 5, 6]]),
    cell_ids=CELLS,
    cell_types=np.array(["a", "a", "b", "b"]),
    symbols=np.array(["G1", "G2", "G2"]),
    ensembl=np.array(["E1", "E2", "E3"]),
    batches=np.array(["x", "y", "x", "y"]),
    donors=np.array(["d1", "d1", "d2", "d2"]),
)


def many(n_cells, **rest):
    """Return ``n_cells`` cells of two types with one gene."""
    ids = np.array([f"cell {i}" for i in range(n_cells)])
    labels = np.array(["a", "b"] * n_cells)[:n_cells]
    return Dataset("many", as_counts(np.ones((n_cells, 1))), ids, labels, np.array(["G"]), **rest)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cell_ids": np.array(["c1", "c2", "c1", "c2"])}, "2 duplicate cell names (c1, c2); make them unique"),
        ({"ensembl": np.array(["E1", "E1", "E3"])}, "1 duplicate gene names (E1)"),
        ({"ensembl": None}, "1 duplicate gene names (G2)"),
        ({"donors": CELLS[:3]}, "3 donors for a matrix of 4 cells and 3 genes"),
        ({"symbols": CELLS}, "4 gene symbols for a matrix of 4 cells and 3 genes"),
        ({"cell_types": np.array([1, 2, 3, 4])}, "cell types must be an array of strings, not of int64"),
        ({"batches": np.array(["x", None, "x", "y"])}, "batches must be an array of strings, not of object"),
        ({"scope": "donor"}, "scope must be one of donors, cells, not 'donor'"),
        ({"counts": -TOY.counts}, "negative values (smallest -6); raw counts are needed"),
        ({"counts": TOY.counts * 0.5}, "not integers (3 of 6, for example 0.5); raw counts are needed"),
        ({"counts": TOY.counts * np.nan}, "NaN or infinite values"),
    ],
)
def test_what_breaks_the_contract_is_refused(changes, says):
    """Lengths, types, duplicates and counts that are none are said in one sentence that names the dataset."""
    with pytest.raises(UsageProblem) as refused:
        replace(TOY, **changes)
    assert str(refused.value).startswith("dataset 'toy': ")
    assert says in str(refused.value)


def test_an_empty_matrix_is_refused():
    """No genes leave nothing to embed."""
    with pytest.raises(UsageProblem, match="4 cells x 0 genes leave nothing to embed"):
        TOY.with_genes(np.array([], dtype=int))


def test_ten_duplicates_are_named():
    """A list of many duplicates is cut at ten."""
    with pytest.raises(UsageProblem, match=r"12 duplicate cell names \((\S+, ){10}\.\.\.\)"):
        Dataset(
            "d",
            as_counts(np.ones((24, 1))),
            np.array([f"c{i % 12}" for i in range(24)]),
            np.array(["a", "b"] * 12),
            np.array(["G"]),
        )


@pytest.mark.parametrize("kind", ["dense", "csc", "coo", "array", "int64", "unsorted", "duplicates", "zeros"])
def test_every_matrix_becomes_the_same_counts(kind):
    """Dense, CSC, COO, integers, unsorted or repeated entries and stored zeros make one dataset."""
    dense = TOY.counts.toarray()
    given_ = {
        "dense": dense,
        "csc": sp.csc_matrix(dense),
        "coo": sp.coo_matrix(dense),
        "array": sp.csr_array(dense),
        "int64": sp.csr_matrix(dense.astype(np.int64)),
        "unsorted": sp.csr_matrix(([2.0, 1, 3, 4, 6, 5], [2, 0, 1, 0, 2, 1], [0, 2, 3, 4, 6]), shape=(4, 3)),
        "duplicates": sp.csr_matrix(([1.0, 1, 1, 3, 4, 5, 6], [0, 2, 2, 1, 0, 1, 2], [0, 3, 4, 5, 7]), shape=(4, 3)),
        "zeros": sp.csr_matrix(([1.0, 0, 2, 3, 4, 5, 6], [0, 1, 2, 1, 0, 1, 2], [0, 3, 4, 5, 7]), shape=(4, 3)),
    }[kind]
    before = given_.copy()
    made = replace(TOY, counts=given_)
    assert (made.counts.format, made.counts.dtype, made.counts.has_canonical_format) == ("csr", np.float32, True)
    assert made.digest == TOY.digest
    if sp.issparse(given_):
        assert given_.dtype == before.dtype
        assert given_.data.tolist() == before.data.tolist(), "the caller's matrix is not touched"


def test_indices_out_of_range_are_refused():
    """Arrays that contradict the shape would be read out of bounds."""
    wrong = TOY.counts.copy()
    wrong.indices[0] = 99
    with pytest.raises(ValueError, match="indices must be < 3"):
        as_counts(wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": TOY.counts * 2},
        {"counts": TOY.counts[:, [1, 0, 2]]},
        {"cell_ids": np.array(["c1", "c2", "c3", "c5"])},
        {"cell_types": np.array(["a", "b", "b", "b"])},
        {"symbols": np.array(["G1", "G2", "G3"])},
        {"ensembl": np.array(["E1", "E2", "E4"])},
        {"batches": None},
        {"batches": np.array(["", "", "", ""])},
        {"donors": np.array(["d1", "d1", "d2", "d3"])},
        {"donors": None, "scope": "cells"},
    ],
)
def test_the_digest_changes_with_what_a_model_sees(changes):
    """Any count, name, label, batch or donor makes another digest: nothing stale is ever found."""
    assert replace(TOY, **changes).digest != TOY.digest


def test_the_digest_keeps_columns_apart():
    """Names that move from one column to the next make another digest."""
    one = replace(TOY, symbols=np.array(["A", "B", "C"]), ensembl=np.array(["D", "E", "F"]))
    other = replace(TOY, symbols=np.array(["A", "B", "C\0D\0E\0F"]), ensembl=None)
    assert one.digest != other.digest


def test_name_card_and_scope_leave_the_embedding_alone():
    """What no model sees changes no digest, so nothing is embedded again."""
    assert replace(TOY, name="other", card={"source": "x"}, scope="cells").digest == TOY.digest


def test_metrics_see_cells_only():
    """The digest of what is scored ignores genes and counts, and tells labels, batches, units and scope apart."""
    assert TOY.with_genes(np.array([0, 1])).cells_digest == TOY.cells_digest
    changed = [
        replace(TOY, cell_types=np.array(["a", "b", "b", "b"])),
        replace(TOY, batches=None),
        replace(TOY, donors=None),
        replace(TOY, scope="cells"),
        replace(TOY, cell_ids=np.array(["c1", "c2", "c3", "c5"])),
    ]
    assert len({TOY.cells_digest, *(one.cells_digest for one in changed)}) == 6


def test_subset_takes_rows_in_the_order_given():
    """Every column follows the rows; genes stay, also those that no chosen cell has."""
    part = TOY.subset(np.array([3, 0]), name="part")
    assert (part.name, part.cell_ids.tolist(), part.cell_types.tolist()) == ("part", ["c4", "c1"], ["b", "a"])
    assert (part.batches.tolist(), part.donors.tolist()) == (["y", "x"], ["d2", "d1"])
    assert part.counts.toarray().tolist() == [[0, 5, 6], [1, 0, 2]]
    assert TOY.subset(np.arange(4)).digest == TOY.digest


def test_a_subset_may_have_one_label():
    """A few cells that come again to check their rows are not judged, so one label is enough."""
    assert TOY.subset(np.array([0, 1])).cell_types.tolist() == ["a", "a"]


def test_with_genes_takes_columns_in_the_order_given():
    """Symbols and ids follow the columns, and the matrix stays canonical."""
    part = TOY.with_genes(np.array([2, 0]))
    assert part.counts.toarray().tolist() == [[2, 1], [0, 0], [0, 4], [6, 0]]
    assert (part.symbols.tolist(), part.ensembl.tolist()) == (["G2", "G1"], ["E3", "E1"])


def test_anndata_hides_the_labels(few_cells):
    """A zero-shot model sees counts, genes and batches if it needs them; no label or donor is in its AnnData."""
    adata = few_cells.to_anndata(batches=True)
    assert adata.obs_names.tolist() == few_cells.cell_ids.tolist()
    assert adata.obs.columns.tolist() == ["batch"]
    assert few_cells.to_anndata().obs.columns.tolist() == []
    assert (few_cells.counts != adata.X).nnz == 0
    assert adata.var["symbol"].tolist() == few_cells.symbols.tolist()
    assert adata.var_names.tolist() == adata.var["ensembl_id"].tolist() == few_cells.ensembl.tolist()
    text = str(adata.obs.to_dict()) + str(adata.uns)
    assert not any(label in text for label in np.unique([few_cells.cell_types, few_cells.donors]))


def test_anndata_is_a_copy():
    """What a model does to its AnnData does not reach the next one."""
    adata = TOY.to_anndata(batches=True)
    adata.X.data[:] = 99
    adata.obs["batch"] = "z"
    assert TOY.counts.max() == 6
    assert TOY.to_anndata(batches=True).obs["batch"].tolist() == TOY.batches.tolist()
    bare = replace(TOY, ensembl=None, symbols=np.array(["A", "B", "C"]), batches=None, donors=None).to_anndata()
    assert (bare.var_names.tolist(), bare.obs.columns.tolist()) == (["A", "B", "C"], [])


def test_units_are_the_donors():
    """Up to 50 donors are left out one by one; without donors there are no units."""
    assert (TOY.units[0].tolist(), TOY.units[1]) == (TOY.donors.tolist(), "donor")
    assert replace(TOY, donors=None).units == (None, "donor")
    donors = np.array([f"d{i // 2}" for i in range(100)])
    assert many(100, donors=donors).units[0].tolist() == donors.tolist()


@given(st.integers(51, 300), st.randoms())
def test_more_donors_than_fifty_are_taken_in_groups(n_donors, chance):
    """50 groups as equal as can be; a donor is in one group, whatever the order of the cells."""
    order = list(range(2 * n_donors))
    chance.shuffle(order)
    donors = np.array([f"d{i // 2}" for i in range(2 * n_donors)])
    units, kind = many(2 * n_donors, donors=donors).units
    assert kind == "donor"
    of_donor = dict(zip(donors.tolist(), units.tolist(), strict=True))
    assert [of_donor[donor] for donor in donors.tolist()] == units.tolist()
    sizes = np.unique(list(of_donor.values()), return_counts=True)[1]
    assert (len(sizes), max(sizes) - min(sizes) <= 1) == (50, True)
    shuffled = many(2 * n_donors, donors=donors[order]).units[0]
    assert shuffled.tolist() == units[order].tolist()


def test_groups_of_cells_do_not_depend_on_order():
    """With scope 'cells' a cell's group follows from its name: 20 groups of equal size."""
    whole = many(200, scope="cells")
    units, kind = whole.units
    assert kind == "cells"
    assert np.unique(units, return_counts=True)[1].tolist() == [10] * 20
    order = np.random.default_rng(0).permutation(200)
    assert whole.subset(order).units[0].tolist() == units[order].tolist()

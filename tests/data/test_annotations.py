"""Labels, batches and donors: what is missing, what is no cell type, what blanks do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsgate.data.annotations import Columns, check_groups, strings
from zsgate.data.file.anndata_file import open_file
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem

MISSING = ["None", "none", "N/A", "n/a", "null", "NULL", "NA", "nan", "NaN", "<NA>", "-", "?", "", "  "]


@pytest.mark.parametrize("text", MISSING)
@pytest.mark.parametrize("kind", [object, "category"])
def test_words_for_nothing_are_missing(text, kind):
    """Of text and of categories, whatever the words; blanks around a name are no part of it."""
    found = strings(pd.Series([text, "T cell ", "T cell", " B cell"], dtype=kind))
    assert found.tolist() == ["", "T cell", "T cell", "B cell"]


def test_a_dash_beside_a_plus_is_a_name():
    """Columns of + and - say what was done to a cell."""
    assert strings(pd.Series(["+", "-", "+"])).tolist() == ["+", "-", "+"]


def test_numbers_that_no_integer_holds_stay_as_they_are():
    """A column of 1e30 is text like any other; whole numbers lose their point."""
    assert strings(pd.Series([1e30, 2.0, np.nan])).tolist() == ["1e+30", "2.0", ""]
    assert strings(pd.Series([-9e18, 2.0, np.nan])).tolist() == ["-9000000000000000000", "2", ""]


def test_labels_that_are_none_are_said_and_left_out_on_request(adata, reread, usual):
    """Unknown cells count as a type, which the card says with what to write; not_labels leaves them out."""
    labels = adata.obs["cell_type"].astype(object)
    labels.iloc[:20], labels.iloc[20:25], labels.iloc[25] = "Unknown", "unassigned", "None"
    adata.obs["cell_type"] = labels
    dataset = reread(adata)
    assert dataset.n_cells == 239
    assert "1 cells without a label are left out" in dataset.notes
    for said in ("20 cells are labelled 'Unknown', which", "5 cells are labelled 'unassigned', which"):
        assert sum(said in note for note in dataset.notes) == 1
    assert any("not_labels = ['Unknown'] leaves them out" in note for note in dataset.notes)
    without = reread(adata, replace(usual, not_labels=("Unknown", "unassigned")))
    assert without.n_cells == 214
    assert "25 cells labelled 'Unknown', 'unassigned' are left out (not_labels)" in without.notes
    assert not any("which counts as a cell type" in note for note in without.notes)


def test_cells_that_are_left_out_are_remembered_by_name(adata, reread):
    """Embeddings may have them, too; where none is left out there is nothing to remember."""
    assert reread(adata).drawn_from is None
    labels = adata.obs["cell_type"].astype(object)
    labels.iloc[:3] = np.nan
    adata.obs["cell_type"] = labels
    assert reread(adata).drawn_from.tolist() == adata.obs_names.tolist()


def cells_of(sizes):
    """Return the donor of each cell, given how many cells each has."""
    return np.repeat([f"donor {place}" for place in range(len(sizes))], sizes)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60))
def test_groups_of_few_cells_are_refused(sizes):
    """Exactly where more than half of the donors have one cell, or all have fewer than five in the mean."""
    few = 2 * sizes.count(1) > len(sizes) or sum(sizes) < 5 * len(sizes)
    if not few:
        check_groups(cells_of(sizes), "lab.h5ad", "donor", "who")
        return
    with pytest.raises(UsageProblem, match=rf"^lab.h5ad: column 'who' for --donor has {len(sizes)} values in "):
        check_groups(cells_of(sizes), "lab.h5ad", "donor", "who")


DONORS = {"donor", "donor_id", "orig_ident"}  # what the real files call them


def test_real_donors_are_donors_and_barcodes_are_not(shared_data, tmp_path):
    """The donors and batches of real files pass, down to panc8's 63 donors of 500 cells; its barcodes do not."""
    import anndata

    n_donors = {}
    for path in sorted((shared_data / "data").glob("*.h5ad")):
        with open_file(path) as file:
            donor = next(iter(DONORS & set(file.obs.columns)), None)
            batch = "batch" if "batch" in file.obs.columns else None
        dataset = read_h5ad(path, path.stem, Columns(label="cell_type", batch=batch, donor=donor))
        n_donors[path.stem] = 0 if dataset.donors is None else len(np.unique(dataset.donors))
    assert (n_donors["panc8_small"], n_donors["pancreas_hormone2cell_3274"]) == (63, 20)
    adata = anndata.read_h5ad(shared_data / "data" / "panc8_small.h5ad")
    adata.obs["barcode"] = adata.obs_names.to_numpy()
    adata.write_h5ad(tmp_path / "panc8.h5ad")
    with pytest.raises(UsageProblem, match="column 'barcode' for --donor has "):
        read_h5ad(tmp_path / "panc8.h5ad", "panc8", Columns(label="cell_type", donor="barcode"))


def test_missing_donors_are_no_donor():
    """Cells without a donor count for nothing, and donors without cells are nobody's problem."""
    check_groups(np.array([""] * 30), "lab.h5ad", "donor")
    check_groups(np.array([""] * 30 + ["a"] * 5), "lab.h5ad", "donor")

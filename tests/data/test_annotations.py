"""Labels, batches and donors: what is missing, what is no cell type, what blanks do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from zsgate.data.annotations import strings

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

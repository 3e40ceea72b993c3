"""A model that gives the same cells other rows in another form is found out, in a sentence that says which form."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.models.adapter import ModelInfo
from zsgate.models.families.cellama.adapter import CELLama
from zsgate.models.user_model import UserModel
from zsgate.run.changed.forms import forms_for, with_clear_names
from zsgate.run.changed.invariances import ACROSS, CELLS, EMBEDDED, Moved, check, objection

SIZE = 64
GENES, OTHERS = "with the genes in another order", "with other genes listed that none of these cells expresses"
ORDER, ALONE = "with the cells in another order", "alone, without the other cells"
NUMBERS = "with the same counts held as another type of number"


def by_name(adata) -> np.ndarray:
    """Log counts of the genes of 64 buckets of names: a model that keeps its rows."""
    buckets = np.array([hash_(name) % SIZE for name in adata.var_names])
    return np.log1p(adata.X @ np.eye(SIZE)[buckets])


def hash_(name: str) -> int:
    return sum(place * ord(letter) for place, letter in enumerate(name, 1))


def by_position(adata):
    """Read the counts in the order of the file."""
    return np.log1p(adata.X[:, :3000].toarray()[:, ::10])


def fixed_width(adata):
    """Multiply by weights of one row a gene, whichever genes there are."""
    return np.log1p(adata.X @ np.random.default_rng(0).exponential(size=(15616, 8)))


def normalises_over_cells(adata):
    """Standardise each dimension over the cells it is given."""
    rows = by_name(adata)
    return (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1)


def counts_the_cells(adata):
    """Add the position of a cell."""
    return by_name(adata) + np.arange(adata.n_obs)[:, None]


def reads_zeros(adata):
    """Take quantiles over all genes that are listed, those that no cell expresses included."""
    return 10 * np.quantile(np.log1p(adata.X.toarray()), np.linspace(0.5, 1, 30), axis=1).T


def indexes_by_counts(adata):
    """Look counts up in a table, which only integers can."""
    table = np.log1p(np.arange(50_000.0))
    return by_name(type(adata)(X=table[adata.X.toarray()], obs=adata.obs, var=adata.var))


def guesses_from_the_type(adata):
    """Take floats for values that are logged already."""
    return by_name(adata) if adata.X.dtype.kind == "f" else np.log1p(by_name(adata))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (by_position, f"by_position gives a cell another row {GENES}: "),
        (by_position, f"by_position gives a cell another row {OTHERS}: "),
        (fixed_width, f"fixed_width embeds cells as they are and fails on the same ones {OTHERS}: ValueError: "),
        (normalises_over_cells, f"normalises_over_cells gives a cell another row {ALONE}: "),
        (counts_the_cells, f"counts_the_cells gives a cell another row {ORDER}: "),
        (reads_zeros, f"reads_zeros gives a cell another row {OTHERS}: "),
        (indexes_by_counts, "indexes_by_counts fails on counts held as float32 (IndexError: "),
        (guesses_from_the_type, f"guesses_from_the_type gives a cell another row {NUMBERS}, int64: "),
    ],
)
def test_each_fault_is_named(pancreas, model, words):
    """The sentence has the model, the form, and for a row that moved the cell and how far."""
    with pytest.raises(Moved) as found:
        check(UserModel(f"mine:{model.__name__}", model=model), pancreas)
    assert words in str(found.value)
    if "another row" in words:
        assert " moved by " in str(found.value)


def test_only_what_is_wrong_is_named(pancreas):
    """A model that reads zeros keeps its rows in every other form."""
    with pytest.raises(Moved) as found:
        check(UserModel("mine:reads_zeros", model=reads_zeros), pancreas)
    assert not [form for form in (GENES, ORDER, ALONE, NUMBERS) if form in str(found.value)]


@dataclass
class Counted:
    """A user's model that keeps its rows, and the numbers of cells it was called with."""

    declared: dict[str, Any] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)

    @property
    def info(self):
        """Return the card."""
        return ModelInfo(name="mine", **self.declared)

    def embed(self, adata):
        """Return one row a cell."""
        self.calls.append(adata.n_obs)
        return by_name(adata)


def test_an_honest_model_passes_at_little_cost(pancreas, tmp_path, monkeypatch):
    """Five forms in two ways each, on 16 cells; nothing is left in the folder that pytest was started in."""
    monkeypatch.chdir(tmp_path)
    model = Counted()
    held = check(UserModel("mine:model", model=model), pancreas)
    assert [each.check for each in held] == [f"presented {form}" for form in (GENES, OTHERS, ORDER, ALONE, NUMBERS)]
    assert max(each.moved / each.apart for each in held) < 1e-6
    assert max(model.calls) == CELLS
    assert len(model.calls) == 1 + 2 * 5
    assert sum(model.calls) <= EMBEDDED
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - of hidden names, too


def test_the_ways_are_the_same_in_every_run(pancreas):
    """Whatever the state of the global generators: moves are equal to the last bit."""
    model = UserModel("mine:model", model=Counted())
    first = check(model, pancreas)
    np.random.seed(7)  # noqa: NPY002
    assert check(model, pancreas) == first


def test_who_looks_across_cells_is_asked_less(pancreas):
    """Neither alone nor in another order, and with more cells, for it may need many."""
    model = Counted({"independent_cells": False})
    held = check(UserModel("mine:model", model=model), pancreas)
    assert [each.check for each in held] == [f"presented {form}" for form in (GENES, OTHERS, NUMBERS)]
    assert set(model.calls) == {ACROSS}
    assert check(UserModel("mine:n", model=normal_across), pancreas)


def normal_across(adata):
    return normalises_over_cells(adata)


normal_across.independent_cells = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("declared", ["stochastic", "trains_on_target"])
def test_who_cannot_be_asked_is_not(declared):
    """With the reason."""
    assert objection(UserModel("mine:model", model=Counted({declared: True})))
    assert not objection(UserModel("mine:model", model=Counted()))


def test_a_model_fails_by_its_own_error(pancreas):
    """What it raises for cells as they are is not called a form's fault."""

    def broken(adata):
        msg = "no weights"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="no weights"):
        check(UserModel("mine:broken", model=broken), pancreas)


def test_a_packaged_model_passes(pancreas):
    """CELLama, with and without Ensembl ids."""
    assert max(each.moved / each.apart for each in check(CELLama(), pancreas)) < 1e-4


@given(number=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_a_form_changes_no_count(few_cells, number):
    """In every form a cell has the same counts of the same genes."""
    cells = with_clear_names(few_cells.subset(np.arange(20)))
    for form in forms_for(UserModel("mine:model", model=Counted({"gene_ids": "symbol"})), cells):
        shown = form.of(cells, number)
        adata = shown.dataset.to_anndata()
        named = dict(zip(cells.symbols.tolist(), range(len(cells.symbols)), strict=True))
        known = np.array([named.get(symbol, -1) for symbol in adata.var["symbol"]])
        found = adata.X.tocsc()[:, np.flatnonzero(known >= 0)]
        assert (found != cells.counts[shown.cells][:, known[known >= 0]]).nnz == 0
        assert found.sum() == cells.counts[shown.cells].sum() == adata.X.sum()
        np.testing.assert_array_equal(adata.obs_names, cells.cell_ids[shown.cells])


def test_symbols_that_two_genes_have_are_left_out(few_cells):
    """Alone they could not tell these genes apart."""
    symbols = few_cells.symbols.copy()
    symbols[:2] = "TWICE"
    clear = with_clear_names(replace(few_cells, symbols=symbols))
    assert len(clear.symbols) == len(symbols) - 2

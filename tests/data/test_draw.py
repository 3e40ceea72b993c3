"""The draw within donors: every donor speaks, every cell is as likely, and nothing but names and the seed decides."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.config.config import Config
from zsgate.data.catalogue.sample import draw_within_donors, drawn
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.run.ledger import Ledger
from zsgate.run.run import Run
from zsgate.system.store import Store

SOME = [5000, 3000, 30, 7]


def _many(sizes, seed=0):
    """Return a dataset with so many cells of each donor, three types and two batches, in a random order."""
    generator = np.random.default_rng(seed)
    donors = np.repeat([f"d{index}" for index in range(len(sizes))], sizes)
    n = len(donors)
    made = Dataset(
        name="many",
        counts=sp.csr_matrix(generator.poisson(1.0, (n, 3)).astype(np.float32) + 1),
        cell_ids=np.array([f"c{index}" for index in range(n)]),
        cell_types=generator.choice(["a", "b", "rare"], n, p=[0.6, 0.37, 0.03]),
        symbols=np.array(["p", "q", "r"]),
        batches=generator.choice(["x", "y"], n),
        donors=donors,
    )
    return made.subset(generator.permutation(n))


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ([600, 300, 100], 100, [53, 27, 20]),
        (SOME, 1000, [608, 365, 20, 7]),
        ([50] * 30, 300, [10] * 30),
        ([10, 10, 10], 2, [1, 1, 0]),
    ],
)
def test_donors_give_in_proportion_and_20_at_least(sizes, wanted, expected):
    """Of a donor with fewer all cells are taken; where there is no room for 20 of each, everybody gives less."""
    dataset = _many(sizes)
    rows = draw_within_donors(dataset, wanted)

    assert [(dataset.donors[rows] == f"d{index}").sum() for index in range(len(sizes))] == expected
    assert (np.diff(rows) > 0).all()


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    share=st.floats(0.02, 0.98),
    seed=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_the_draw_keeps_its_promises(sizes, share, seed):
    """As many cells as wanted, each once; 20 of each donor where there is room; nobody gives more than their cells."""
    dataset = _many(sizes)
    wanted = max(1, int(share * dataset.n_cells))
    rows = draw_within_donors(dataset, wanted, seed)
    if wanted >= dataset.n_cells:
        assert rows is None
        return
    given_by = [(dataset.donors[rows] == f"d{index}").sum() for index in range(len(sizes))]

    assert len(np.unique(rows)) == len(rows) == wanted
    assert all(number >= min(size, 20, wanted // len(sizes)) for number, size in zip(given_by, sizes, strict=True))


def test_neither_the_order_of_the_file_nor_the_names_of_the_donors_decide():
    """The same cells are drawn from a file that is sorted otherwise; another seed draws others."""
    dataset = _many(SOME)
    names = set(dataset.cell_ids[draw_within_donors(dataset, 1000)])
    other = dataset.subset(np.random.default_rng(9).permutation(dataset.n_cells))
    renamed = dataclasses.replace(other, donors=np.char.add("z", np.char.replace(other.donors, "d0", "e")))

    assert set(other.cell_ids[draw_within_donors(other, 1000)]) == names
    assert set(renamed.cell_ids[draw_within_donors(renamed, 1000)]) == names
    assert len(names & set(dataset.cell_ids[draw_within_donors(dataset, 1000, seed=1)])) < 400


def test_types_and_batches_keep_their_shares():
    """Of 5,000 cells 500 are taken: a rare type of 3 % is there with 3 %, where a simple draw would be off by 0.7."""
    dataset = _many([5000])
    shares = []
    for seed in range(20):
        rows = draw_within_donors(dataset, 500, seed)
        shares.append([(dataset.cell_types[rows] == "rare").mean(), (dataset.batches[rows] == "x").mean()])
    whole = [(dataset.cell_types == "rare").mean(), (dataset.batches == "x").mean()]

    assert np.abs(np.array(shares)[:, 0] - whole[0]).max() <= 0.002
    assert np.abs(np.array(shares)[:, 1] - whole[1]).max() <= 0.008


def test_every_cell_of_a_donor_is_as_likely():
    """Over 400 seeds each of 90 cells is drawn a third of the time, of a rare type as well."""
    dataset = _many([60, 30])
    times = np.zeros(90)
    for seed in range(400):
        times[draw_within_donors(dataset, 60, seed)] += 1
    expected = np.where(dataset.donors == "d0", 40 / 60, 20 / 30)

    assert np.abs(times / 400 - expected).max() < 5 * np.sqrt(0.25 / 400)


@pytest.mark.parametrize(
    ("lacking", "within"),
    [((), "within 4 donors "), (("donors",), "within 2 batches "), (("donors", "batches"), "drawn with a fixed seed")],
)
def test_the_dataset_says_what_was_drawn(lacking, within):
    """Without donors batches are in their place; embeddings may have rows of the cells that were not drawn."""
    dataset = dataclasses.replace(_many(SOME), **dict.fromkeys(lacking))
    some = drawn(dataset, 1000)

    assert some.n_cells == 1000
    assert within in some.notes[-1]
    assert "1,000 of 8,037 cells" in some.notes[-1]
    assert "--cells=all" in some.notes[-1]
    assert some.drawn_from.tolist() == dataset.cell_ids.tolist()
    assert drawn(dataset, None) is dataset is drawn(dataset, 8037)


@pytest.fixture
def run_of(adata, tmp_path):
    """Return a run on 240 cells whose candidate has rows of all of them."""

    def make(**settings):
        rows = np.random.default_rng(0).normal(size=(240, 3)).astype(np.float32)
        (tmp_path / "embeddings").mkdir(exist_ok=True)
        np.savez(tmp_path / "embeddings" / "few_cells.npz", X=rows, ids=adata.obs_names.to_numpy(str))
        adata.write_h5ad(tmp_path / "few_cells.h5ad")
        file = str(tmp_path / "few_cells.h5ad")
        settings = {"datasets": (file,), "label": "cell_type", "donor": "donor", **settings}
        config = Config(model=str(tmp_path / "embeddings"), **settings)
        return Run(config, tmp_path, Ledger(Store(tmp_path / "store"), Store(tmp_path / "run"))), rows

    return make


def test_everybody_embeds_the_cells_that_were_drawn(run_of, adata):
    """The baselines learn from them alone, and a file of embeddings may hold all the cells of the dataset."""
    run, rows = run_of(cells=100)
    scored = run.dataset("few_cells")
    place = adata.obs_names.get_indexer(scored.cell_ids)

    assert scored is run.embedded("few_cells")
    assert scored.n_cells == 100
    np.testing.assert_array_equal(run.candidate.embed(scored).draws[0], rows[place])
    assert run.method("pca").embed(scored).draws[0].shape[0] == 100
    assert run.recipe.embedded == 100
    assert run.recipe.hash != run_of()[0].recipe.hash == run_of(cells=20_000)[0].recipe.hash


def test_all_cells_are_another_recipe(run_of):
    """--cells=all judges on every cell, and its scores are not compared with those of a draw."""
    run, _ = run_of(cells=0)
    assert run.dataset("few_cells").n_cells == 240
    assert run.recipe.embedded is None
    assert run.recipe.hash != run_of()[0].recipe.hash


def test_the_paper_s_recipe_has_cells_of_its_own(run_of):
    """Two numbers of cells would be one too many."""
    with pytest.raises(UsageProblem, match="kedzierska2023 scores 7,500 cells, as the paper"):
        run_of(cells=100, recipe="kedzierska2023")


@pytest.mark.parametrize(
    ("value", "said"), [("99", "99 cells are too few"), ("-5", "-5 cells are too few"), ("many", "a number of cells")]
)
def test_a_number_of_cells_or_all(value, said, tmp_path):
    """Nonsense is refused with what would do."""
    assert Config.gather({"model": "m", "cells": "all"}, {}, tmp_path).cells == 0
    assert Config.gather({"model": "m"}, {"ZSGATE_CELLS": "500"}, tmp_path).cells == 500
    with pytest.raises(UsageProblem, match=said):
        Config.gather({"model": "m", "cells": value}, {}, tmp_path)

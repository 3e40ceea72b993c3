"""What the adapter of scGPT promises of its rows and reconstructions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.scgpt.adapter import ScGPT

MakeScGPT = Callable[..., ScGPT]


def test_keyed_draws_do_not_depend_on_order_or_company(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """The same cell gives the same embedding, bit for bit, permuted, in a subset, and on other thread counts."""
    model = tiny_scgpt()
    rows = model.embed(handful)
    order = np.random.default_rng(0).permutation(handful.n_cells)
    np.testing.assert_array_equal(model.embed(handful.subset(order)), rows[order])
    np.testing.assert_array_equal(model.embed(handful.subset(order[:7])), rows[order[:7]])
    threads = torch.get_num_threads()
    torch.set_num_threads(3 - min(threads, 2))
    try:
        np.testing.assert_array_equal(model.embed(handful), rows)
    finally:
        torch.set_num_threads(threads)


def test_repeat_draws_measure_what_sampling_costs(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """Another seed gives other tokens and rows, the same seed the same; fingerprints say so."""
    model = tiny_scgpt()
    other = model.with_seed(1)
    assert not np.array_equal(model.embed(handful), other.embed(handful))
    assert model.fingerprint != other.fingerprint
    assert model.fingerprint == other.with_seed(0).fingerprint
    assert model.repeats() == (model,)
    three = tiny_scgpt(draws=3)
    assert [each.seed for each in three.repeats()] == [0, 1, 2]
    np.testing.assert_array_equal(three.repeats()[1].embed(handful), other.embed(handful))
    with pytest.raises(UsageProblem, match="scgpt_human@own: draws must be a whole number from 1 on, not 0"):
        tiny_scgpt(draws=0)


def test_official_draws_depend_on_the_cells_before(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """Upstream's generators run on from cell to cell: reversing the cells changes rows, and the card says so."""
    model = tiny_scgpt(randomness="official")
    rows = model.embed(handful)
    np.testing.assert_array_equal(rows, model.embed(handful))
    assert not np.array_equal(model.embed(handful.subset(np.arange(handful.n_cells)[::-1]))[::-1], rows)
    assert not model.info.independent_cells


def test_the_papers_preset_reads_1200_variable_genes(tiny_scgpt: MakeScGPT, few_cells: Dataset) -> None:
    """Preset ``paper`` shows the model 1,200 genes at most, gives the class token 0, and copies layers in its twin."""
    model = tiny_scgpt(preset="paper")
    tokens = model._tokeniser(few_cells)(0, few_cells.n_cells)
    assert len(np.unique(tokens.columns[tokens.columns >= 0])) <= 1200
    assert (tokens.bins[tokens.offsets[:-1]] == 0).all()
    layers = model.random_init(0).network.encoder.layers
    some = torch.randn(3, model.dimensions, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layers[0].up(some), layers[-1].up(some))
    assert not model.info.independent_cells


def test_the_twin_reads_the_same_tokens(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """An untrained twin differs in weights only: same tokens, same shapes, other rows, by seed."""
    model = tiny_scgpt()
    twin = model.random_init(0)
    ours, theirs = (each._tokeniser(handful)(0, handful.n_cells) for each in (model, twin))
    np.testing.assert_array_equal(ours.ids, theirs.ids)
    np.testing.assert_array_equal(ours.bins, theirs.bins)
    assert len({each.fingerprint for each in (model, twin, model.random_init(1))}) == 3
    np.testing.assert_array_equal(twin.embed(handful), model.random_init(0).embed(handful))


@pytest.mark.parametrize("masked", [0.0, 0.15, 0.4])
def test_reconstruction_returns_the_bins_that_were_fed(tiny_scgpt: MakeScGPT, handful: Dataset, masked: float) -> None:
    """Targets are the input's own bins, the stated share of each cell's genes is hidden, and hiding changes GEP."""
    model = tiny_scgpt()
    (found,) = model.reconstruct(handful, masked=masked)
    tokens = model._tokeniser(handful)(0, handful.n_cells)
    genes = tokens.columns >= 0
    np.testing.assert_array_equal(found.target, tokens.bins[genes])
    np.testing.assert_array_equal(found.genes, tokens.columns[genes])
    shares = np.add.reduceat(found.masked, found.offsets[:-1]) / np.diff(found.offsets)
    assert np.abs(shares - masked).max() <= 0.5 / np.diff(found.offsets).min()
    assert found.noise_floor.min() >= 0
    (shown,) = model.reconstruct(handful)
    assert np.array_equal(found.predictions["gep"], shown.predictions["gep"]) is (masked == 0)


def test_reconstruction_is_keyed_by_cell(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """The same cell has the same genes hidden and the same predictions in any order."""
    model = tiny_scgpt()
    (found,) = model.reconstruct(handful, masked=0.15)
    order = np.arange(handful.n_cells)[::-1]
    (turned,) = model.reconstruct(handful.subset(order), masked=0.15)
    last = slice(found.offsets[-2], found.offsets[-1])
    first = slice(0, turned.offsets[1])
    np.testing.assert_array_equal(found.masked[last], turned.masked[first])
    np.testing.assert_array_equal(found.predictions["gepc"][last], turned.predictions["gepc"][first])

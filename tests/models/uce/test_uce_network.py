"""UCE's network against upstream's module, and its sentences against upstream's sampler."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from make_uce import FIRST_CHROMOSOME, FIRST_PROTEIN, FULL, N_PROTEINS, SEED, SMALL, made_places, uce_proteins
from make_uce import uce_weights as drawn

from zsgate.data.dataset import Dataset
from zsgate.models.families.uce.genes import Genome
from zsgate.models.families.uce.network import UCENetwork, UCEShape, random_state, sinusoids
from zsgate.models.families.uce.tokens import KeyedDraws, OfficialDraws, write_sentences
from zsgate.models.transformer.attention import Runs

GOLDEN = Path(__file__).parents[2] / "golden"


def genome_of(n_genes: int) -> Genome:
    chromosomes, starts = made_places(n_genes)
    tokens = np.arange(n_genes, dtype=np.int32) + np.int32(FIRST_PROTEIN)
    return Genome(tokens, (chromosomes + FIRST_CHROMOSOME).astype(np.int32), starts)


@pytest.mark.parametrize(
    ("shape", "name"),
    [(SMALL, "small"), pytest.param(FULL, "full", marks=pytest.mark.slow)],
    ids=["small", "four_layers"],
)
def test_cells_equal_upstream(shape: UCEShape, name: str) -> None:
    """Rows of four real cells equal those of upstream's module within 1e-5, at the official shape, too."""
    state = drawn(shape) | {"pos_encoder.pe": sinusoids(shape.n_places, 1, shape.d_model)}
    network = UCENetwork.of(state, uce_proteins(shape), shape).to(torch.device("cpu"), torch.float32)
    known = np.load(GOLDEN / "uce_outputs.npz")[name]
    assert np.abs(known - known[0]).max(axis=1)[1:].min() > 1e-3, "the cells differ, or this would test nothing"
    for ids, row in zip(np.load(GOLDEN / "uce_sentences.npz")["ids"], known, strict=True):
        tokens = torch.from_numpy(ids[ids > 0] % N_PROTEINS)
        with torch.inference_mode():
            found = network.cells(tokens, Runs((len(tokens),), tokens.device))[0]
        np.testing.assert_allclose(found, row, atol=1e-5)


def test_official_sentences_are_upstreams(pancreas: Dataset) -> None:
    """Token for token, of four real cells, with NumPy's generator in the same state."""
    known = np.load(GOLDEN / "uce_sentences.npz")
    counts = pancreas.counts[known["rows"]]
    tokens = write_sentences(counts, genome_of(counts.shape[1]), OfficialDraws.seeded(SEED))
    for cell, ids in enumerate(known["ids"]):
        np.testing.assert_array_equal(tokens.ids[tokens.offsets[cell] : tokens.offsets[cell + 1]], ids[ids > 0])


def test_keyed_sentences_depend_on_the_cell_alone(handful: Dataset) -> None:
    """In any order of cells and of columns, on any number of threads, and beside genes that it does not express."""
    genome = genome_of(len(handful.symbols))
    whole = write_sentences(handful.counts, genome, KeyedDraws(0), n_threads=2)
    order = np.random.default_rng(0).permutation(handful.n_cells)
    turned = write_sentences(handful.counts[order], genome, KeyedDraws(0))
    np.testing.assert_array_equal(turned.ids, whole.take(order).ids)
    columns = np.random.default_rng(1).permutation(len(handful.symbols))
    shuffled = Genome(genome.tokens[columns], genome.chromosomes[columns], genome.starts[columns])
    mixed = sp.csr_matrix(handful.counts[:, columns])
    np.testing.assert_array_equal(write_sentences(mixed, shuffled, KeyedDraws(0)).ids, whole.ids)
    assert not np.array_equal(write_sentences(handful.counts, genome, KeyedDraws(1)).ids, whole.ids)


def test_keyed_sentences_sample_by_expression(handful: Dataset) -> None:
    """Each gene is sampled as often as log1p of its count says: chi-square over 200 seeds is that of chance."""
    genome, cell = genome_of(len(handful.symbols)), handful.counts[:1]
    times = np.zeros(len(handful.symbols))
    for seed in range(200):
        columns = write_sentences(cell, genome, KeyedDraws(seed)).columns
        times += np.bincount(columns[columns >= 0], minlength=len(times))
    weights = np.log1p(cell.toarray()[0].astype(float))
    expected = times.sum() * weights / weights.sum()
    there = expected > 0
    assert not times[~there].any()
    squares, freedom = ((times - expected)[there] ** 2 / expected[there]).sum(), there.sum() - 1
    assert abs(squares - freedom) < 5 * np.sqrt(2 * freedom)


def test_untrained_weights_follow_torchs_initialisation() -> None:
    """Products are uniform within 1/sqrt(n_in), those of attention as MultiheadAttention draws them; repeatable."""
    state = random_state(SMALL, 1)
    assert state["encoder.0.weight"].abs().max() == pytest.approx(SMALL.d_protein**-0.5, rel=1e-2)
    bound = (6 / (4 * SMALL.d_model)) ** 0.5
    attention = state["transformer_encoder.layers.1.self_attn.in_proj_weight"]
    assert attention.abs().max() == pytest.approx(bound, rel=1e-2)
    assert (state["decoder.1.1.weight"] == 1).all()
    assert (state["decoder.1.1.bias"] == 0).all()
    assert all(torch.equal(tensor, random_state(SMALL, 1)[name]) for name, tensor in state.items())
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == SMALL.tensors()

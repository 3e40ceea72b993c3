"""scGPT against upstream: tokens, bins, forward passes; and what its randomness promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import drawn_state
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.scgpt import binning
from zsgate.models.scgpt.adapter import ScGPT
from zsgate.models.scgpt.network import ScGPTNetwork, ScGPTShape, random_state
from zsgate.models.scgpt.tokens import QUANTILES, KeyedDraws, OfficialDraws, ScGPTTokenizer
from zsgate.models.transformer import kernels
from zsgate.models.transformer.attention import Runs

GOLDEN = Path(__file__).parents[1] / "golden"
OFFICIAL = ScGPTShape(embsize=512, nheads=8, d_hid=512, nlayers=12, max_seq_len=1200)
N_TOKENS, PAD, CLS = 60_697, 60_694, 60_695
MakeScGPT = Callable[..., ScGPT]


def by_column(dataset: Dataset) -> ScGPTTokenizer:
    """Return a tokeniser whose gene ids are the dataset's columns."""
    return ScGPTTokenizer({"<cls>": CLS, "<pad>": PAD})


def test_tokens_equal_upstreams_on_real_cells(pancreas: Dataset) -> None:
    """Under the same generator states every gene and bin of 25 cells is upstream's collator's, order included."""
    golden = np.load(GOLDEN / "scgpt_tokens.npz")
    columns = np.arange(len(pancreas.symbols), dtype=np.int32)
    counts = pancreas.subset(golden["rows"]).counts
    tokens = by_column(pancreas)(counts, columns, OfficialDraws.seeded(3))
    for ids, bins, start, stop in zip(
        golden["ids"], golden["bins"], tokens.offsets[:-1], tokens.offsets[1:], strict=True
    ):
        length = stop - start
        assert (ids[length:] == PAD).all()
        np.testing.assert_array_equal(tokens.ids[start:stop], ids[:length])
        np.testing.assert_array_equal(tokens.bins[start:stop], bins[:length])


COUNTS = hnp.arrays(
    np.float32, st.integers(1, 300), elements=st.one_of(st.integers(1, 9), st.integers(1, 5000)).map(float)
)


@given(COUNTS)
def test_bins_are_numpys_quantile_and_digitize(counts: np.ndarray) -> None:
    """The compiled edges, and what ties with them, equal numpy.quantile and numpy.digitize for any counts."""
    edges = np.quantile(counts, QUANTILES)
    below, ties = binning.digitise(np.array([0, len(counts)]), counts, QUANTILES)
    np.testing.assert_array_equal(below, np.digitize(counts, edges, right=True))
    np.testing.assert_array_equal(below + ties, np.digitize(counts, edges))


def test_bins_of_all_real_data_are_numpys(shared_data: Path) -> None:
    """On every file at hand, every fourth cell's bins tie with the very edges NumPy finds: 0 mismatches."""
    import anndata
    import scipy.sparse as sp

    files = sorted((shared_data / "data").glob("*.h5ad"))
    assert len(files) == 8
    for path in files:
        counts = sp.csr_matrix(anndata.read_h5ad(path).X)[::4].astype(np.float32)
        below, ties = binning.digitise(counts.indptr.astype(np.int64), counts.data, QUANTILES)
        for start, stop in zip(counts.indptr[:-1], counts.indptr[1:], strict=True):
            row = counts.data[start:stop]
            edges = np.quantile(row, QUANTILES)
            assert (below[start:stop] == np.digitize(row, edges, right=True)).all(), path.name
            assert (below[start:stop] + ties[start:stop] == np.digitize(row, edges)).all(), path.name


@given(COUNTS, st.sampled_from([2, 4, 16]))
def test_bins_do_not_change_with_depth(counts: np.ndarray, factor: int) -> None:
    """Multiplying a cell's counts by a power of two, which no rounding sees, changes no bin's span."""
    offsets = np.array([0, len(counts)])
    for ours, scaled in zip(
        binning.digitise(offsets, counts, QUANTILES),
        binning.digitise(offsets, counts * np.float32(factor), QUANTILES),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, scaled)


def test_ties_spread_evenly_over_their_bins() -> None:
    """20,000 genes of count 1 with as many of count 2 fill their bins evenly (chi-square, fixed seed)."""
    from scipy.stats import chisquare

    counts = np.repeat(np.array([1, 2], np.float32), 20_000)
    offsets, ids = np.array([0, len(counts)]), np.arange(len(counts), dtype=np.int32)
    below, ties = binning.digitise(offsets, counts, QUANTILES)
    words = kernels.hash_entries(offsets, ids, counts, 0)
    bins = binning.draw_bins(words, below, ties)[:20_000]
    seen = np.bincount(bins)[1:]
    assert len(seen) == ties[0]
    assert chisquare(seen).pvalue > 1e-3


def test_a_long_cell_keeps_a_uniform_sample_of_its_genes(few_cells: Dataset) -> None:
    """Over 400 seeds each gene of a long cell is kept as often as chance says: limit / genes (5 sigma)."""
    row = int(np.argmax(few_cells.counts.getnnz(axis=1)))
    counts = few_cells.counts[row]
    columns = np.arange(few_cells.counts.shape[1], dtype=np.int32)
    reader = ScGPTTokenizer({"<cls>": CLS}, max_length=301)
    kept = np.zeros(len(columns))
    for seed in range(400):
        tokens = reader(counts, columns, KeyedDraws(seed))
        assert tokens.lengths.tolist() == [301]
        kept[tokens.columns[1:]] += 1
    share = 300 / counts.nnz
    z = (kept[counts.indices] - 400 * share) / np.sqrt(400 * share * (1 - share))
    assert np.abs(z).max() < 5


@pytest.mark.parametrize("ready", [True, False], ids=["as_run", "plain"])
def test_forward_equals_upstream(ready: bool) -> None:
    """Class token, GEP and GEPC equal upstream's module at the official shape within 1e-5 (fp32).

    As the gate runs it: the first layer's projections from tables, weights packed; and without either.
    """
    golden = np.load(GOLDEN / "scgpt_outputs.npz")
    network = ScGPTNetwork.of(drawn_state(OFFICIAL.tensors(N_TOKENS), 3), OFFICIAL)
    network = network.to(torch.device("cpu"), torch.float32) if ready else network
    for row, (ids, bins) in enumerate(zip(golden["ids"], golden["bins"], strict=True)):
        length = int((ids != PAD).sum())
        inputs = torch.from_numpy(ids[:length]), torch.from_numpy(bins[:length])
        runs = Runs((length,), torch.device("cpu"))
        with torch.inference_mode():
            cell = network.cells(*inputs, runs)[0]
            gep, gepc = network.predictions(*inputs, runs)
        np.testing.assert_allclose(cell, golden["cell_emb"][row], atol=1e-5)
        np.testing.assert_allclose(gep, golden["mlm_output"][row, :length], atol=1e-5)
        scale = np.abs(golden["mvc_output"]).max()
        np.testing.assert_allclose(gepc, golden["mvc_output"][row, :length], atol=1e-5 * max(1, scale))


def test_packed_cells_equal_single_cells() -> None:
    """Several cells packed in one batch give what each gives alone, within 1e-5: no cell sees another."""
    shape = ScGPTShape(embsize=64, nheads=4, d_hid=32, nlayers=3, max_seq_len=50)
    network = ScGPTNetwork.of(random_state(shape, 200, 0), shape).to(torch.device("cpu"), torch.float32)
    lengths = (7, 1, 40, 7)
    generator = np.random.default_rng(0)
    ids = torch.from_numpy(generator.integers(0, 200, sum(lengths)))
    bins = torch.from_numpy(generator.integers(-2, 51, sum(lengths)))
    with torch.inference_mode():
        packed = network.cells(ids, bins, Runs(lengths, ids.device))
        heads = network.predictions(ids, bins, Runs(lengths, ids.device))
        start = 0
        for cell, length in enumerate(lengths):
            part = slice(start, start + length)
            alone = Runs((length,), ids.device)
            torch.testing.assert_close(packed[cell], network.cells(ids[part], bins[part], alone)[0], atol=1e-5, rtol=0)
            for head, single in zip(heads, network.predictions(ids[part], bins[part], alone), strict=True):
                torch.testing.assert_close(head[part], single, atol=1e-5, rtol=0)
            start += length


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
    with pytest.raises(UsageProblem, match="scgpt_human: draws must be a whole number from 1 on, not 0"):
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


@pytest.mark.parametrize("init", ["independent", "identical"])
def test_untrained_weights_follow_upstreams_initialisation(init: str) -> None:
    """Genes are uniform on ±0.1, linear layers on ±1/sqrt(n_in), norms 1 and 0; layers are copies or not, as asked."""
    shape = ScGPTShape(embsize=64, nheads=4, d_hid=32, nlayers=3, max_seq_len=50)
    state = random_state(shape, 500, 1, init)
    assert state["encoder.embedding.weight"].abs().max() == pytest.approx(0.1, rel=1e-3)
    down = state["transformer_encoder.layers.0.linear2.weight"]
    assert down.abs().max() == pytest.approx(32**-0.5, rel=1e-2)
    assert (state["transformer_encoder.layers.1.norm1.weight"] == 1).all()
    same = torch.equal(down, state["transformer_encoder.layers.2.linear2.weight"])
    assert same is (init == "identical")
    again = random_state(shape, 500, 1, init)
    assert all(torch.equal(state[name], again[name]) for name in state)


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

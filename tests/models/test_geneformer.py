"""Geneformer against upstream's tokenizer and transformers' BERT; its dictionaries; what its rows promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from drawn import drawn_state
from hypothesis import given
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.models.geneformer.adapter import Geneformer
from zsgate.models.geneformer.dictionaries import GeneDictionary, check_dictionary, read_dictionary
from zsgate.models.geneformer.network import GeneformerNetwork, GeneformerShape
from zsgate.models.geneformer.tokens import GeneformerTokenizer
from zsgate.models.transformer.attention import Runs

GOLDEN = Path(__file__).parents[1] / "golden"
V1 = GeneformerShape(256, 4, 512, 6, 2048, 25_426, 2, 1e-12)
KINDS = ("token_dictionary", "gene_median_dictionary", "ensembl_mapping_dict", "gene_name_id_dict")
VERSIONS = {"v1": ("gc30M", 2048, 25_426), "v2": ("gc104M", 4096, 20_275)}
MakeGeneformer = Callable[..., Geneformer]


def official(folder: Path, version: str) -> GeneDictionary:
    """Return the official dictionaries."""
    suffix = VERSIONS[version][0]
    place = folder / "weights" / f"geneformer_{version}"
    return GeneDictionary(*(read_dictionary(place / f"{kind}_{suffix}.pkl") for kind in KINDS))


@pytest.mark.parametrize("version", VERSIONS)
def test_tokens_equal_upstreams_up_to_exact_ties(version: str, pancreas: Dataset, shared_data: Path) -> None:
    """With the official dictionaries 25 real cells have upstream's tokens; only ties (< 0.01 %) may swap."""
    _, length, size = VERSIONS[version]
    genes = official(shared_data, version)
    check_dictionary(genes, size)
    golden = np.load(GOLDEN / f"geneformer_tokens_{version}.npz")
    cells = pancreas.subset(golden["rows"])
    tokens = GeneformerTokenizer(genes, length)(cells.counts, genes.columns(cells.ensembl, cells.symbols))
    np.testing.assert_array_equal(tokens.lengths, golden["lengths"])
    moved = np.flatnonzero(tokens.ids != golden["ids"])
    assert len(moved) / len(tokens.ids) < 1e-4
    cell = np.repeat(np.arange(cells.n_cells), tokens.lengths)
    column_of = dict(zip(tokens.ids.tolist(), tokens.columns.tolist(), strict=True))
    for place in moved:
        ours, theirs = (
            cells.counts[cell[place], column_of[int(token)]] / genes.median_of_token[token]
            for token in (tokens.ids[place], golden["ids"][place])
        )
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_genecorpus_lists_decode_without_stranger_or_duplicate(shared_data: Path) -> None:
    """The 500 published token lists of the pretraining corpus decode through the V1 dictionary."""
    import pyarrow.parquet

    genes = official(shared_data, "v1")
    known = {token for gene, token in genes.tokens.items() if not gene.startswith("<")}
    table = pyarrow.parquet.read_table(shared_data / "weights" / "genecorpus_500" / "genecorpus_500_samples.parquet")
    lists = table["input_ids"].to_pylist()
    assert len(lists) == 500
    for tokens in lists:
        assert set(tokens) <= known
        assert len(set(tokens)) == len(tokens)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0.5, 1.0, 1.5, 3.0])), min_size=1, max_size=40),
    st.integers(1, 12),
)
def test_ranks_are_a_stable_sort_by_count_over_median(genes: list[tuple[int, float]], limit: int) -> None:
    """Any cell's tokens are numpy's stable order of -count/median, ties by token, cut at the limit."""
    counts = np.array([count for count, _ in genes], np.float32)
    medians = np.array([median for _, median in genes])
    names = ["<pad>", "<mask>", *(f"G{place}" for place in range(len(genes)))]
    book = GeneDictionary(
        {name: place for place, name in enumerate(names)}, dict(zip(names[2:], medians, strict=True)), {}, {}
    )
    columns = np.arange(2, len(names), dtype=np.int32)
    tokens = GeneformerTokenizer(book, limit)(sp.csr_matrix(counts[None]), columns)
    present = np.flatnonzero(counts)
    expected = present[np.argsort(-counts[present] / medians[present], kind="stable")] + 2
    np.testing.assert_array_equal(tokens.ids, expected[:limit])


def test_almost_equal_ratios_are_ordered_exactly() -> None:
    """Ratios that differ only in bits the packed sort key has no room for still come out in order."""
    medians = 1.0 + np.arange(8)[::-1] * 2.0**-50
    names = ["<pad>", "<mask>", *"ABCDEFGH"]
    book = GeneDictionary(
        {name: place for place, name in enumerate(names)}, dict(zip(names[2:], medians, strict=True)), {}, {}
    )
    counts = sp.csr_matrix(np.ones((1, 8), np.float32))
    tokens = GeneformerTokenizer(book, 8)(counts, np.arange(2, 10, dtype=np.int32))
    assert tokens.ids.tolist() == list(range(9, 1, -1))


def test_columns_of_one_gene_are_summed() -> None:
    """Two columns with the same Ensembl id count as one gene with their sum, as upstream collapses them."""
    names = ["<pad>", "<mask>", "A", "B"]
    book = GeneDictionary({name: place for place, name in enumerate(names)}, {"A": 1.0, "B": 1.0}, {}, {})
    counts = sp.csr_matrix(np.array([[2, 3, 2], [1, 0, 0]], np.float32))
    tokens = GeneformerTokenizer(book, 8)(counts, np.array([2, 3, 2], np.int32))
    assert tokens.ids.tolist() == [2, 3, 2]
    assert tokens.columns.tolist() == [0, 1, 0]


def test_forward_equals_transformers() -> None:
    """Second-to-last layer and masked-gene head equal BertForMaskedLM at V1's shape within 1e-5 (fp32)."""
    golden = np.load(GOLDEN / "geneformer_outputs.npz")
    network = GeneformerNetwork.of(drawn_state(V1.tensors(), 5), V1).to(torch.device("cpu"), torch.float32)
    for row, ids in enumerate(golden["ids"]):
        length = int((ids > 0).sum())
        tokens, runs = torch.from_numpy(ids[:length]), Runs((length,), torch.device("cpu"))
        with torch.inference_mode():
            mean, first = network.means(tokens, runs, 0), network.first_tokens(tokens, runs)
            best, likelihood, likelier = network.predictions(tokens, runs, tokens)
        np.testing.assert_allclose(mean[0], golden["means"][row], atol=1e-5)
        np.testing.assert_allclose(first[0], golden["first"][row], atol=1e-5)
        np.testing.assert_allclose(likelihood, golden["log_probability"][row, :length], atol=1e-5 * 20)
        assert (best.numpy() == golden["best"][row, :length]).mean() > 0.999
        np.testing.assert_array_equal(likelier == 0, best == tokens)


def test_packed_cells_equal_single_cells(tiny_geneformer: MakeGeneformer) -> None:
    """Several cells packed in one batch give what each gives alone, class token and mean, within 1e-5."""
    network = tiny_geneformer().network
    lengths = (5, 40, 3)
    ids = torch.from_numpy(np.random.default_rng(0).integers(2, 500, sum(lengths)))
    runs = Runs(lengths, ids.device)
    with torch.inference_mode():
        for whole, alone in (
            (network.means(ids, runs, 1), lambda part, run: network.means(part, run, 1)),
            (network.first_tokens(ids, runs), network.first_tokens),
        ):
            for cell, part in enumerate(ids.split(list(lengths))):
                single = alone(part, Runs((len(part),), ids.device))[0]
                torch.testing.assert_close(whole[cell], single, atol=1e-5, rtol=0)


def test_means_are_taken_in_float32(tiny_geneformer: MakeGeneformer) -> None:
    """In bf16 as well, for a cell alone as for many: a mean is not rounded to 8 bits."""
    network = replace(tiny_geneformer(), dtype=torch.bfloat16).network
    ids = torch.arange(2, 42)
    with torch.inference_mode():
        for lengths in ((40,), (15, 25)):
            assert network.means(ids, Runs(lengths, ids.device), 1).dtype == torch.float32


@pytest.mark.parametrize("name", ["geneformer_v1_10m", "geneformer_v2_104m"])
def test_rows_do_not_depend_on_order_genes_or_depth(
    name: str, tiny_geneformer: MakeGeneformer, handful: Dataset
) -> None:
    """Permuted cells, permuted genes and counts times four give the same rows, bit for bit."""
    model = tiny_geneformer(name)
    rows = model.embed(handful)
    order = np.random.default_rng(0).permutation(handful.n_cells)
    np.testing.assert_array_equal(model.embed(handful.subset(order)), rows[order])
    genes = np.random.default_rng(1).permutation(len(handful.symbols))
    counts = sp.csr_matrix(handful.counts[:, genes])
    counts.sort_indices()
    assert handful.ensembl is not None
    turned = replace(handful, counts=counts * 4, symbols=handful.symbols[genes], ensembl=handful.ensembl[genes])
    np.testing.assert_array_equal(model.embed(turned), rows)


def test_presets_pool_v2_by_class_token_or_by_genes(tiny_geneformer: MakeGeneformer, handful: Dataset) -> None:
    """V2 is read at its class token officially, as a mean over genes in the paper's way; V1 is a mean in both.

    The paper's way ranks the file's X, here log-normalised; without it both rank the counts.
    """
    counts_only = replace(handful, expression=None)
    cases = (("v1_10m", counts_only, True), ("v1_10m", handful, False), ("v2_104m", counts_only, False))
    for name, cells, same in cases:
        ours, theirs = (tiny_geneformer(f"geneformer_{name}", preset=way).embed(cells) for way in ("official", "paper"))
        assert np.array_equal(ours, theirs) is same


def test_symbols_are_read_where_there_are_no_ensembl_ids(tiny_geneformer: MakeGeneformer, handful: Dataset) -> None:
    """Without Ensembl ids genes go through the model's own name dictionary, and coverage says so."""
    model = tiny_geneformer()
    distinct = np.unique(handful.symbols, return_index=True)[1]
    columns = np.sort(distinct)
    fewer = replace(
        handful,
        counts=sp.csr_matrix(handful.counts[:, columns]),
        symbols=handful.symbols[columns],
        ensembl=None,
    )
    coverage = model.coverage(fewer)
    assert coverage.gene_ids == "symbol"
    assert coverage.share_genes == pytest.approx(model.coverage(handful).share_genes, abs=0.02)


@pytest.mark.parametrize("name", ["geneformer_v1_10m", "geneformer_v2_104m"])
def test_reconstruction_ranks_the_genes_fed(name: str, tiny_geneformer: MakeGeneformer, handful: Dataset) -> None:
    """Targets fall from 1 to 0 over a cell's tokens, likelihoods are those of the head, a share is hidden."""
    model = tiny_geneformer(name)
    handful = handful.subset(np.arange(8))
    (found,) = model.reconstruct(handful, masked=0.15)
    assert found.tokens is not None
    assert (found.genes >= 0).all()
    for start, stop in zip(found.offsets[:-1], found.offsets[1:], strict=True):
        np.testing.assert_allclose(found.target[start:stop], np.linspace(1, 0, stop - start), atol=1e-6)
    top = found.predictions["likelier"] == 0
    np.testing.assert_array_equal(found.predictions["token"][top], found.tokens[top])
    assert (found.predictions["log_probability"] < 0).all()
    assert found.masked.mean() == pytest.approx(0.15, abs=0.01)
    (shown,) = model.reconstruct(handful)
    assert not shown.masked.any()
    assert not np.array_equal(shown.predictions["token"], found.predictions["token"])


def test_untrained_twin_is_drawn_as_bert_is(tiny_geneformer: MakeGeneformer, handful: Dataset) -> None:
    """Twin weights have sd 0.02, biases 0, norms 1; a seed fixes them; tokens are the trained model's."""
    model = tiny_geneformer()
    twin = model.random_init(3)
    assert float(twin.network.words[2:].std()) == pytest.approx(0.02, rel=0.02)
    assert not twin.network.bias.any()
    np.testing.assert_array_equal(twin.embed(handful), model.random_init(3).embed(handful))
    assert len({each.fingerprint for each in (model, twin, model.random_init(4))}) == 3

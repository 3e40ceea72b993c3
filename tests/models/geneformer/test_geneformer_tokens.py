"""Geneformer's tokens against upstream's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.models.families.geneformer.dictionaries import GeneDictionary, check_dictionary, read_dictionary
from zsgate.models.families.geneformer.tokens import GeneformerTokenizer

GOLDEN = Path(__file__).parents[2] / "golden"

KINDS = ("token_dictionary", "gene_median_dictionary", "ensembl_mapping_dict", "gene_name_id_dict")

VERSIONS = {"v1": ("gc30M", 2048, 25_426), "v2": ("gc104M", 4096, 20_275)}


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

"""What the adapter of Geneformer promises of its rows and reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from zsgate.data.dataset import Dataset
from zsgate.models.families.geneformer.adapter import Geneformer

MakeGeneformer = Callable[..., Geneformer]


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
    assert twin.network.head is not None
    assert not twin.network.head.bias.any()
    np.testing.assert_array_equal(twin.embed(handful), model.random_init(3).embed(handful))
    assert len({each.fingerprint for each in (model, twin, model.random_init(4))}) == 3

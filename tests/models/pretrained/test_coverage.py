"""Gene coverage: what is mapped, what is not, and when that is too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.families.geneformer.adapter import Geneformer
from zsgate.models.families.scgpt.adapter import ScGPT
from zsgate.models.pretrained.coverage import measure_coverage

MakeScGPT = Callable[..., ScGPT]
MakeGeneformer = Callable[..., Geneformer]


def test_coverage_counts_genes_and_counts(few_cells: Dataset) -> None:
    """Shares of genes and counts, the unmapped by counts, and shared tokens equal a dense reading."""
    tokens = np.arange(len(few_cells.symbols), dtype=np.int32)
    tokens[::3] = -1
    tokens[1] = tokens[2] = 7
    found = measure_coverage(few_cells, tokens, model="m", gene_ids="symbol", n_vocabulary=9)
    dense = few_cells.counts.toarray()
    share = dense[:, tokens >= 0].sum(1) / dense.sum(1)
    assert found.share_genes == pytest.approx((tokens >= 0).mean())
    assert found.share_counts == pytest.approx(share.mean())
    assert found.share_counts_low == pytest.approx(np.quantile(share, 0.05))
    unmapped = np.flatnonzero(tokens < 0)
    assert found.unmapped[0] == few_cells.symbols[unmapped[np.argmax(dense[:, unmapped].sum(0))]]
    assert set(few_cells.symbols[[1, 2]]) <= set(found.shared)


def test_ensembl_ids_for_symbols_are_recognised(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """A symbol model given Ensembl ids says what to give instead; versions are counted."""
    assert handful.ensembl is not None
    wrong = replace(handful, symbols=np.char.add(handful.ensembl, ".2"), ensembl=None)
    with pytest.raises(UsageProblem, match="reads gene symbols and most unmapped names are Ensembl ids"):
        tiny_scgpt().embed(wrong)
    assert tiny_scgpt().coverage(wrong).versioned == len(wrong.symbols)


def test_symbols_for_ensembl_ids_are_recognised(tiny_geneformer: MakeGeneformer, handful: Dataset) -> None:
    """An Ensembl model given other names in that column says what to give instead."""
    numbered = np.array([f"GENE{place}" for place in range(len(handful.symbols))])
    with pytest.raises(UsageProblem, match="reads Ensembl ids and most unmapped names are not"):
        tiny_geneformer().embed(replace(handful, ensembl=numbered))


def test_mouse_genes_are_recognised(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """Capitalised symbols get the hint that they look like mouse genes."""
    names = np.array([f"Abc{place:d}x" for place in range(len(handful.symbols))])
    with pytest.raises(UsageProblem, match="look like mouse genes"):
        tiny_scgpt().embed(replace(handful, symbols=names, ensembl=None))


def test_a_versioned_ensembl_id_is_read(tiny_geneformer: MakeGeneformer, handful: Dataset) -> None:
    """A version suffix, which upstream silently fails to map, changes nothing."""
    model = tiny_geneformer()
    assert handful.ensembl is not None
    versioned = replace(handful, ensembl=np.char.add(handful.ensembl, ".7"))
    np.testing.assert_array_equal(model.embed(versioned), model.embed(handful))


def _emptied(dataset: Dataset, keep: np.ndarray) -> Dataset:
    """Return the dataset with the third cell's counts kept only where ``keep``."""
    dense = dataset.counts.toarray()
    dense[2, ~keep] = 0
    return replace(dataset, counts=sp.csr_matrix(dense))


def test_an_all_zero_cell_is_named(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """A cell without counts is refused by name; upstream's collator fails on it without one."""
    empty = _emptied(handful, np.zeros(len(handful.symbols), bool))
    with pytest.raises(UsageProblem, match=f"without a single count.*{handful.cell_ids[2]}"):
        tiny_scgpt().embed(empty)


def test_a_cell_of_unknown_genes_only_is_named(tiny_scgpt: MakeScGPT, handful: Dataset) -> None:
    """A cell whose counts are all in genes outside the vocabulary is refused by name."""
    model = tiny_scgpt()
    unknown = model._reader.columns(handful.symbols) < 0
    with pytest.raises(UsageProblem, match=f"no count in a known gene.*{handful.cell_ids[2]}"):
        model.embed(_emptied(handful, unknown))


def test_counts_outweigh_long_annotations(handful: Dataset) -> None:
    """A vocabulary that misses most genes but holds most counts is enough; one that misses both is not."""
    total = np.asarray(handful.counts.sum(axis=0)).ravel()
    most = np.argsort(-total)[: len(total) // 3]
    tokens = np.full(len(total), -1, np.int32)
    tokens[most] = np.arange(len(most))
    found = measure_coverage(handful, tokens, model="m", gene_ids="symbol", n_vocabulary=9)
    assert found.share_genes < 0.5 < found.share_counts
    assert found.sufficient
    tokens[most[: len(most) * 9 // 10]] = -1
    assert not measure_coverage(handful, tokens, model="m", gene_ids="symbol", n_vocabulary=9).sufficient


def test_a_remark_is_made_below_four_fifths_of_the_counts(handful: Dataset) -> None:
    """What lacks more than a fifth of the counts is said in one sentence; the record is builtins of ten names."""
    total = np.asarray(handful.counts.sum(axis=0)).ravel()
    tokens = np.arange(len(total), dtype=np.int32)
    whole = measure_coverage(handful, tokens, model="m", gene_ids="ensembl", n_vocabulary=9)
    assert whole.remark == ""
    assert whole.like_ensembl == len(total)
    tokens[np.argsort(-total)[:200]] = -1
    found = measure_coverage(handful, tokens, model="m", gene_ids="symbol", n_vocabulary=9)
    assert found.share_counts < 0.8
    assert f"of {len(total):,} genes of handful, with {found.share_counts:.0%}" in found.remark
    assert found.unmapped[0] in found.remark
    assert len(found.as_dict()["unmapped"]) == 10
    assert found.as_dict()["shared"] == 0

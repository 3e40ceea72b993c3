"""Counts in the order of a network's genes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.pretrained.gene_order import GeneOrder, log_normalise


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_aligned_counts_are_those_of_each_gene(seed: int) -> None:
    """Each place holds the sum over the columns of its gene; unknown genes are left out, places in rising order."""
    draws = np.random.default_rng(seed)
    order = GeneOrder(tuple(f"G{place}" for place in draws.permutation(12)))
    names = np.array([f"G{number}" for number in draws.integers(0, 20, 15)])
    dense = draws.poisson(0.7, (6, 15)).astype(np.float32)
    aligned = order.align(sp.csr_matrix(dense), order.columns(names))
    expected = np.stack([dense[:, names == name].sum(axis=1) for name in order.names], axis=1)
    np.testing.assert_array_equal(aligned.toarray(), expected)
    assert aligned.has_canonical_format
    assert aligned.dtype == np.float32


def test_log_normalised_as_scanpy(handful: Dataset) -> None:
    """normalize_total to 10,000 and log1p of the same counts, to a rounding."""
    import anndata
    import scanpy as sc

    cells = anndata.AnnData(handful.counts.copy())
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    np.testing.assert_allclose(log_normalise(handful.counts.copy()).data, cells.X.data, rtol=3e-7)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "names no gene"),
        (b"gene_name\tindex\n", "names no gene"),
        (b"name\tindex\nA\t0\n", "does not begin with gene_name"),
        (b"gene_name\tindex\nA\t0\nB\t1\nA\t2\n", "names a gene twice"),
        (b"gene_name\tindex\nA\t0\n\t1\n", "has a line without a gene"),
        (b"gene_name\tindex\n\xff\xfe\t0\n", "can't decode"),
    ],
)
def test_what_is_no_list_of_genes_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    """One sentence with the file's name."""
    path = tmp_path / "genes.tsv"
    path.write_bytes(content)
    with pytest.raises(UsageProblem, match=f"genes.tsv is not a list of genes: .*{says}"):
        GeneOrder.read(path, header="gene_name" if content else "")

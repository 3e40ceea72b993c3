"""scGPT's tokens and bins against upstream's and NumPy's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zsgate.data.dataset import Dataset
from zsgate.models.families.scgpt import binning
from zsgate.models.families.scgpt.tokens import QUANTILES, KeyedDraws, OfficialDraws, ScGPTTokenizer
from zsgate.models.transformer import kernels

GOLDEN = Path(__file__).parents[2] / "golden"

N_TOKENS, PAD, CLS = 60_697, 60_694, 60_695


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

"""Passes of reconstruction: what must not matter, what a model may do wrong, cells and genes too few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstructors import Bins, Ranks, reconstructed, score

from zsgate.data.dataset import Dataset
from zsgate.errors import CandidateFailed
from zsgate.metrics.reconstruction.result import CANDIDATE
from zsgate.models.reconstruction import Reconstruction, hidden
from zsgate.verdict.terms import Terms
from zsgate.verdict.verdict import judge

# --- what must not matter


@pytest.mark.parametrize("masked", [0.0, 0.15])
@pytest.mark.parametrize("kind", [Bins, Ranks])
def test_order_and_windows_change_nothing(cells, kind, masked):
    """Cells permuted, genes permuted, other windows: every value and leave-out is the same to 1e-9."""
    few = cells.subset(np.arange(0, 240, 2))
    generator = np.random.default_rng(1)
    permuted = few.subset(generator.permutation(few.n_cells)).with_genes(generator.permutation(len(few.symbols)))
    turned = replace(permuted)
    plain = reconstructed(kind(), few, masked)
    for other in (reconstructed(kind(window=7), few, masked), reconstructed(kind(), turned, masked)):
        assert other.units == plain.units
        for way, statistics in plain.columns.items():
            for statistic, sides in statistics.items():
                for who, columns in sides.items():
                    np.testing.assert_allclose(other.columns[way][statistic][who], columns, rtol=1e-9, atol=1e-12)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.sampled_from([0.0, 0.15, 0.4, 1.0]), st.integers(0, 99))
def test_hiding_is_keyed_by_the_cell(lengths, share, seed):
    """The asked share is hidden in every cell, at least one; order of genes and company do not matter."""
    generator = np.random.default_rng(seed)
    genes = [generator.choice(10_000, size, replace=False) for size in lengths]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    hide = hidden(offsets, np.concatenate(genes).astype(np.int64), share, seed)
    for cell, mine in enumerate(genes):
        here = hide[offsets[cell] : offsets[cell + 1]]
        assert here.sum() == (min(len(mine), max(1, np.rint(share * len(mine)))) if share else 0)
        order = generator.permutation(len(mine))
        alone = hidden(np.array([0, len(mine)]), mine[order], share, seed)
        np.testing.assert_array_equal(alone, here[order])


# --- what a model may do wrong


class Odd(Bins):
    """Bins whose windows something is done to."""

    def __init__(self, change) -> None:
        super().__init__(window=100)
        self.change = change

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield changed windows."""
        for place, part in enumerate(super().reconstruct(dataset, masked=masked, seed=seed)):
            changed = self.change(part, place)
            if changed is not None:
                yield changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda part, place: part if place else None, "left out 100 of 240 cells"),
        (lambda part, place: replace(part, cells=part.cells % 100), "gave a cell twice"),
        (lambda part, place: replace(part, masked=np.zeros_like(part.masked)), r"hide 15 % .* and hid 0"),
        (lambda part, place: replace(part, genes=part.genes + 600), "outside the dataset"),
        (lambda part, place: replace(part, scale="counts") if place else part, "changed its scale"),
        (lambda part, place: replace(part, target=part.target * np.nan), "not finite"),
        (lambda part, place: "window", "must yield .*, not str"),
        (lambda part, place: replace(part, scale="lognorm"), "gave scale 'lognorm' and the model declares 'bin'"),
        (lambda part, place: replace(part, predictions={"gep": part.target}), "heads gep and .* declares gep, gepc"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(cells, change, words):
    """A model's window that would give a wrong number is the candidate's failure, in words."""
    with pytest.raises(CandidateFailed, match=words):
        reconstructed(Odd(change), cells, 0.15)


def with_short_cells(dataset: Dataset) -> Dataset:
    """Return the dataset with one cell of one gene and one of two equal genes."""
    counts = dataset.counts.copy().tolil()
    counts[0], counts[1] = 0, 0
    counts[0, 5], counts[1, 6], counts[1, 7] = 1, 3, 3
    return replace(dataset, counts=counts.tocsr())


def test_short_and_fully_hidden_cells(cells):
    """A cell of one gene is hidden whole and scored; it has no ranking, for nobody, and drops out of both sides."""
    odd = with_short_cells(cells)
    hid = reconstructed(Bins(), odd, 0.15)
    assert hid.n_scored == 240
    assert np.isfinite(score(hid, "mse_gep_m15").value)
    shown = reconstructed(Ranks(longest=50), odd)
    assert shown.described["rank_correlation"]["count"] == (odd.counts.getnnz(axis=1) > 1).sum() < 240
    for who in (CANDIDATE, "average_rank", "identity_copy"):
        assert np.isfinite(score(shown, "rank_correlation", who).value)


def test_nothing_hidden_that_could_be_scored_is_no_pass(cells):
    """Cells without any entry give NaN, which no policy lets pass."""
    empty = replace(cells, counts=cells.counts * 0)
    found = reconstructed(Bins(), empty, 0.15)
    ours, theirs = score(found, "mse_gep_m15"), score(found, "mse_gep_m15", "mean")
    assert np.isnan(ours.value)
    for policy in ("beats", "noninferior", "point"):
        assert not judge(ours, theirs, Terms(policy=policy))


def test_metrics_refuse_another_share(cells):
    """A metric of 15 % hidden genes is not read off a pass with all genes shown."""
    with pytest.raises(ValueError, match="mse_gep_m15 is of 15 % hidden genes, not of 0 %"):
        score(reconstructed(Bins(), cells), "mse_gep_m15")


def test_without_donors_there_is_no_interval(cells):
    """Averages are then fitted over batches, and the verdict stays open."""
    found = reconstructed(Bins(), replace(cells, donors=None), 0.15)
    assert found.groups == "batch"
    assert score(found, "mse_gep_m15").leave_outs == ()
    assert judge(score(found, "mse_gep_m15"), score(found, "mse_gep_m15", "mean")).interval is None
    assert reconstructed(Bins(), replace(cells, donors=None, batches=None), 0.15).groups == "group of cells"

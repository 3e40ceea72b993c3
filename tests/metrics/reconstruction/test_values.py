"""Squared errors of reconstruction: closed forms, a plain reading of the paper's code on real cells, fitted means."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstructors import Bins, entries, reconstructed, score

from zsgate.baselines import mean
from zsgate.data.dataset import Dataset
from zsgate.data.preprocess import log_normalised
from zsgate.metrics.reconstruction.groups import Groups
from zsgate.metrics.reconstruction.values import ValueTally
from zsgate.models.reconstruction import Reconstruction, hidden
from zsgate.verdict.recipe import KEDZIERSKA2023
from zsgate.verdict.verdict import judge


@pytest.mark.parametrize("masked", [0.0, 0.15])
def test_the_papers_numbers_by_a_plain_reading(cells, masked):
    """Pooled MSE of both heads and of the one mean, as utils.py and model_output.py compute them; 1e-9."""
    found = reconstructed(Bins(), cells, masked)
    table = entries(Bins(), cells, masked)
    scored = table[table["masked"]] if masked else table
    suffix = "_m15" if masked else ""

    for head in ("gep", "gepc"):
        expected = np.mean((scored[head].astype(float) - scored["target"].astype(float)) ** 2)
        assert score(found, f"mse_{head}{suffix}", recipe=KEDZIERSKA2023).value == pytest.approx(expected, rel=1e-9)
    mean = table["target"].astype(float).mean()
    expected = np.mean((scored["target"].astype(float) - mean) ** 2)
    assert score(found, f"mse_gep{suffix}", "mean", KEDZIERSKA2023).value == pytest.approx(expected, rel=1e-9)


def mean_of(table: pd.DataFrame, by: str | None = None) -> float | pd.Series:
    """Return the mean of a table's values, of each ``by`` if given, every cell weighing the same."""
    weight = 1 / table.groupby("cell")["value"].transform("size")
    if by is None:
        return (weight * table["value"]).sum() / weight.sum()
    return (weight * table["value"]).groupby(table[by]).sum() / weight.groupby(table[by]).sum()


def averaged_out_of_sample(table: pd.DataFrame, masked: float, baseline: str) -> float:
    """Return the mean over cells of the squared error of means that never saw the cell's donor."""
    shown = table[~table["masked"]].groupby("cell")["target"].mean()
    level = table["cell"].map(shown).fillna(0.0) if baseline == "cell_gene_mean" else 0.0
    table = table.assign(value=table["target"] - level)
    errors = []
    for donor in table["donor"].unique():
        mine, others = table[table["donor"] == donor], table[table["donor"] != donor]
        guess = mean_of(others)
        if baseline != "mean":
            guess = mine["gene"].map(mean_of(others, "gene")).fillna(guess)
        squares = ((mine["value"] - guess) ** 2)[mine["masked"] if masked else slice(None)]
        errors.append(squares.groupby(mine["cell"]).mean())
    return float(pd.concat(errors).mean())


@pytest.mark.parametrize(("masked", "suffix"), [(0.0, ""), (0.4, "_m40")])
@pytest.mark.parametrize("baseline", ["mean", "gene_mean", "cell_gene_mean"])
def test_means_are_fitted_on_other_donors_also_in_leave_outs(cells, masked, suffix, baseline):
    """The streamed moments give what fitting and predicting cell by cell gives, with everybody and without a donor."""
    ours = score(reconstructed(Bins(), cells, masked), f"mse_gep{suffix}", baseline)
    table = entries(Bins(), cells, masked).astype({"target": float})

    assert ours.value == pytest.approx(averaged_out_of_sample(table, masked, baseline), rel=1e-9)
    for donor in ours.units[::5]:
        expected = averaged_out_of_sample(table[table["donor"] != donor], masked, baseline)
        assert ours.leave_outs[ours.units.index(donor)] == pytest.approx(expected, rel=1e-9)


class Dead:
    """Says what was fitted on other donors and knows nothing of the genes beside it: no better than a baseline."""

    heads = ("gep",)

    def __init__(self, scale: str, baseline: str, weighting: str) -> None:
        self.scale, self.baseline, self.weighting = scale, baseline, weighting

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield one window of all cells."""
        values = log_normalised(dataset) if self.scale == "lognorm" else dataset.counts
        offsets, genes = values.indptr.astype(np.int64), values.indices.astype(np.int32)
        target = np.minimum(values.data, 50) if self.scale == "bin" else values.data
        hide = hidden(offsets, genes, masked, seed)
        cell = np.repeat(np.arange(dataset.n_cells), np.diff(offsets))
        yield Reconstruction(
            cells=np.arange(dataset.n_cells), offsets=offsets, genes=genes, target=target.astype(np.float32),
            predictions={"gep": self._said(cell, genes, target.astype(float), hide, dataset).astype(np.float32)},
            scale=self.scale, masked=hide,
        )  # fmt: skip

    def _said(self, cell: np.ndarray, gene: np.ndarray, target: np.ndarray, hide: np.ndarray, dataset: Dataset):
        n_shown = np.bincount(cell[~hide], minlength=dataset.n_cells)
        level = np.bincount(cell[~hide], target[~hide], dataset.n_cells) / np.maximum(n_shown, 1)
        if self.baseline == "cell":
            return level[cell]
        known = level[cell] if self.baseline == "cell_gene_mean" else np.zeros(len(cell))
        weight = 1 / np.bincount(cell)[cell] if self.weighting == "cells" else np.ones(len(cell))
        place = np.zeros_like(gene) if self.baseline == "mean" else gene
        said = np.empty(len(cell))
        for donor in np.unique(dataset.donors):
            own = dataset.donors[cell] == donor
            learnt = weight * ~own
            size = np.bincount(place, learnt)
            found = np.bincount(place, learnt * (target - known))
            overall = found.sum() / size.sum()
            means = np.divide(found, size, out=np.full(len(size), overall), where=size > 0)
            said[own] = known[own] + means[place[own]]
        return said


@pytest.mark.parametrize("weighting", ["cells", "entries"])
@pytest.mark.parametrize("baseline", ["mean", "gene_mean", "cell_gene_mean"])
@pytest.mark.parametrize("scale", ["bin", "counts", "lognorm"])
def test_a_baseline_in_disguise_does_not_beat_itself(cells, scale, baseline, weighting):
    """Fitted out of donor like the baseline, it has the same error; with entries weighing alike it is no better."""
    found = reconstructed(Dead(scale, baseline, weighting), cells, 0.15)
    ours, theirs = score(found, "mse_gep_m15"), score(found, "mse_gep_m15", baseline)

    assert not judge(ours, theirs)
    if weighting == "cells":
        assert ours.value == pytest.approx(theirs.value, rel=1e-5)


@pytest.mark.parametrize("scale", ["counts", "lognorm"])
def test_a_cells_own_level_is_no_knowledge_of_genes(cells, scale):
    """The mean of the genes a cell shows may beat each gene's mean, and not what knows both."""
    found = reconstructed(Dead(scale, "cell", ""), cells, 0.15)
    ours = score(found, "mse_gep_m15")

    assert judge(ours, score(found, "mse_gep_m15", "gene_mean")).passed == (scale == "lognorm")
    assert not judge(ours, score(found, "mse_gep_m15", "cell_gene_mean"))
    assert score(found, "mse_gep_m15", "cell_gene_mean").value < ours.value


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.floats(-1, 1), st.integers(0, 2**32 - 1))
def test_no_other_number_has_a_smaller_error_where_the_mean_was_fitted(lengths, shift, seed):
    """In sample, cells weighing alike, the means' error is the weighted variance, and any other numbers' is larger."""
    generator = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    genes = np.concatenate([generator.choice(12, length, replace=False) for length in lengths]).astype(np.int32)
    target = generator.gamma(1, size=offsets[-1]).astype(np.float32)
    tally = ValueTally(Groups(np.zeros(len(lengths), dtype=np.intp), 1, "donor", ()), 12, 0.0)
    shown = np.zeros(len(target), dtype=bool)
    tally.add(
        Reconstruction(
            cells=np.arange(len(lengths)), offsets=offsets, genes=genes, target=target, scale="counts",
            predictions={"gep": target}, masked=shown,
        )
    )  # fmt: skip
    table = pd.DataFrame({"cell": np.repeat(np.arange(len(lengths)), lengths), "gene": genes, "value": target + 0.0})
    of_genes = table["gene"].map(mean_of(table, "gene"))
    shifts = shift * generator.random(12)
    for fit, guess, other in (
        (mean.global_mean, mean_of(table), mean_of(table) + shift),
        (mean.gene_mean, of_genes, of_genes + shifts[genes]),
    ):
        value = fit(tally, "cells", in_sample=True)[0]
        assert value == pytest.approx(mean_of(table.assign(value=(target - guess) ** 2)), rel=1e-6, abs=1e-9)
        assert value <= mean_of(table.assign(value=(target - other) ** 2)) + 1e-9


def test_each_cell_weighs_the_same(cells):
    """The candidate's score is the mean over cells of the mean over genes; leave-outs drop a donor's cells."""
    found = reconstructed(Bins(), cells, 0.15)
    table = entries(Bins(), cells, 0.15)
    hid = table[table["masked"]].assign(error=lambda t: (t["gep"].astype(float) - t["target"]) ** 2)
    of_cells = hid.groupby("cell")["error"].mean()
    ours = score(found, "mse_gep_m15")

    assert ours.value == pytest.approx(of_cells.mean(), rel=1e-9)
    donor = cells.donors[of_cells.index.to_numpy()]
    expected = [of_cells[donor != each].mean() for each in ours.units]
    np.testing.assert_allclose(ours.leave_outs, expected, rtol=1e-9)
    assert ours.balanced == pytest.approx(of_cells.groupby(donor).mean().mean(), rel=1e-9)
    assert found.described["mse_gep"]["50%"] == pytest.approx(of_cells.median(), rel=1e-9)


def test_closed_forms(cells):
    """A head three off has 9; a copy has 0 shown and (target + 1)**2 hidden; the floor is handed through."""
    shown, hid = reconstructed(Bins(), cells), reconstructed(Bins(), cells, 0.15)
    assert score(shown, "mse_gepc").value == pytest.approx(9, rel=1e-12)
    assert score(hid, "mse_gepc_m15").value == pytest.approx(9, rel=1e-12)
    assert score(shown, "mse_gep", "identity_copy").value == 0
    table = entries(Bins(), cells, 0.15).query("masked")
    expected = ((table["target"] + 1.0) ** 2).groupby(table["cell"]).mean().mean()
    assert score(hid, "mse_gep_m15", "identity_copy").value == pytest.approx(expected, rel=1e-9)
    assert (shown.floor["default"], hid.floor["paper"]) == (0.25, 0.25)
    assert (shown.copied["identity_copy"], reconstructed(Bins(copies=True), cells, 0.15).copied["gep"]) == (0, 0)
    assert shown.copied["gep"] > 0.1

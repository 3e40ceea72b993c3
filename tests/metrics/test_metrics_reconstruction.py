"""Metrics of reconstruction: closed forms, a plain reading of the paper's code on real cells, exact leave-outs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstructors import Bins, Ranks

from zsgate.dataset import Dataset
from zsgate.errors import CandidateFailed
from zsgate.fixtures.recover import recover
from zsgate.metrics.reconstruction import CANDIDATE, RECONSTRUCTION, Recovered
from zsgate.metrics.reconstruction_ranks import correlations
from zsgate.recipe import DEFAULT, KEDZIERSKA2023, Recipe
from zsgate.reconstruction import Reconstruction, hidden
from zsgate.score import Score
from zsgate.verdict import judge


@pytest.fixture(scope="session")
def cells(pancreas) -> Dataset:
    """Return 240 real cells of 12 donors with 600 genes."""
    whole = pancreas.dataset
    donors, sizes = np.unique(whole.donors, return_counts=True)
    largest = donors[np.argsort(-sizes, kind="stable")[:12]]
    rows = np.concatenate([np.flatnonzero(whole.donors == donor)[:20] for donor in largest])
    genes = np.argsort(-np.asarray(whole.counts[rows].sum(axis=0)).ravel(), kind="stable")[:600]
    return whole.subset(np.sort(rows)).with_genes(np.sort(genes))


def score(found: dict, name: str, who: str = CANDIDATE, recipe: Recipe = DEFAULT) -> Score:
    return RECONSTRUCTION[name](Recovered(found, who, recipe))


def entries(model, dataset: Dataset, masked: float) -> pd.DataFrame:
    """Return every (cell, gene) of a model's windows, one row each."""
    frames = []
    for part in model.reconstruct(dataset, masked=masked):
        columns = {"cell": part.cells[part.cell_of_entry], "gene": part.genes, "target": part.target}
        columns |= {"masked": part.masked, **part.predictions}
        frames.append(pd.DataFrame(columns | ({} if part.tokens is None else {"true": part.tokens})))
    table = pd.concat(frames, ignore_index=True)
    return table.assign(donor=dataset.donors[table["cell"]])


# --- squared errors


@pytest.mark.parametrize("masked", [0.0, 0.15])
def test_the_papers_numbers_by_a_plain_reading(cells, masked):
    """Pooled MSE of both heads and of the one mean, as utils.py and model_output.py compute them; 1e-9."""
    found = recover(Bins(), cells, masked)
    table = entries(Bins(), cells, masked)
    scored = table[table["masked"]] if masked else table
    suffix = "_m15" if masked else ""

    for head in ("gep", "gepc"):
        expected = np.mean((scored[head].astype(float) - scored["target"].astype(float)) ** 2)
        assert score(found, f"mse_{head}{suffix}", recipe=KEDZIERSKA2023).value == pytest.approx(expected, rel=1e-9)
    mean = table["target"].astype(float).mean()
    expected = np.mean((scored["target"].astype(float) - mean) ** 2)
    assert score(found, f"mse_gep{suffix}", "mean", KEDZIERSKA2023).value == pytest.approx(expected, rel=1e-9)


def averaged_out_of_sample(table: pd.DataFrame, masked: float, by_gene: bool) -> float:
    """Return the mean over cells of the squared error of means that never saw the cell's donor."""
    errors = []
    for donor in table["donor"].unique():
        mine, others = table[table["donor"] == donor], table[table["donor"] != donor]
        guess = others["target"].mean()
        if by_gene:
            guess = mine["gene"].map(others.groupby("gene")["target"].mean()).fillna(guess)
        squares = ((mine["target"] - guess) ** 2)[mine["masked"] if masked else slice(None)]
        errors.append(squares.groupby(mine["cell"]).mean())
    return float(pd.concat(errors).mean())


@pytest.mark.parametrize(("masked", "suffix"), [(0.0, ""), (0.4, "_m40")])
@pytest.mark.parametrize("baseline", ["mean", "gene_mean"])
def test_means_are_fitted_on_other_donors_also_in_leave_outs(cells, masked, suffix, baseline):
    """The streamed moments give what fitting and predicting cell by cell gives, with everybody and without a donor."""
    ours = score(recover(Bins(), cells, masked), f"mse_gep{suffix}", baseline)
    table = entries(Bins(), cells, masked).astype({"target": float})

    assert ours.value == pytest.approx(averaged_out_of_sample(table, masked, baseline == "gene_mean"), rel=1e-9)
    for donor in ours.units[::5]:
        rest = table[table["donor"] != donor]
        expected = averaged_out_of_sample(rest, masked, baseline == "gene_mean")
        assert ours.leave_outs[ours.units.index(donor)] == pytest.approx(expected, rel=1e-9)


def test_each_cell_weighs_the_same(cells):
    """The candidate's score is the mean over cells of the mean over genes; leave-outs drop a donor's cells."""
    found = recover(Bins(), cells, 0.15)
    table = entries(Bins(), cells, 0.15)
    hid = table[table["masked"]].assign(error=lambda t: (t["gep"].astype(float) - t["target"]) ** 2)
    of_cells = hid.groupby("cell")["error"].mean()
    ours = score(found, "mse_gep_m15")

    assert ours.value == pytest.approx(of_cells.mean(), rel=1e-9)
    donor = cells.donors[of_cells.index.to_numpy()]
    expected = [of_cells[donor != each].mean() for each in ours.units]
    np.testing.assert_allclose(ours.leave_outs, expected, rtol=1e-9)
    assert ours.balanced == pytest.approx(of_cells.groupby(donor).mean().mean(), rel=1e-9)
    assert found["described"]["mse_gep"]["50%"] == pytest.approx(of_cells.median(), rel=1e-9)


def test_closed_forms(cells):
    """A head three off has 9; a copy has 0 shown and (target + 1)**2 hidden; the floor is handed through."""
    shown, hid = recover(Bins(), cells), recover(Bins(), cells, 0.15)
    assert score(shown, "mse_gepc").value == pytest.approx(9, rel=1e-12)
    assert score(hid, "mse_gepc_m15").value == pytest.approx(9, rel=1e-12)
    assert score(shown, "mse_gep", "identity_copy").value == 0
    table = entries(Bins(), cells, 0.15).query("masked")
    expected = ((table["target"] + 1.0) ** 2).groupby(table["cell"]).mean().mean()
    assert score(hid, "mse_gep_m15", "identity_copy").value == pytest.approx(expected, rel=1e-9)
    assert (shown["floor"]["default"], hid["floor"]["paper"]) == (0.25, 0.25)
    assert (shown["copied"]["identity_copy"], recover(Bins(copies=True), cells, 0.15)["copied"]["gep"]) == (0, 0)
    assert shown["copied"]["gep"] > 0.1


# --- ranks


def paper_correlations(table: pd.DataFrame, in_sample: bool) -> tuple[list[float], list[float]]:
    """Return Pearson's r of each cell for model and average rank, as model_output.py joins and averages them."""
    model, average = [], []
    for _, mine in table.groupby("cell"):
        others = table if in_sample else table[table["donor"] != mine["donor"].iloc[0]]
        mean_rank = others[others["target"] > 0].groupby("true")["target"].mean().rename("mean_rank")
        real = mine.set_index("true")["target"].rename("input_rank")
        out = mine.groupby("token")["target"].mean().rename("output_rank")
        merged = pd.merge(real, out, how="outer", left_index=True, right_index=True).fillna(0)
        merged = merged.join(mean_rank).fillna(0)
        if len(real) < 2:  # the paper's code gives NaN, and describe() skips it
            continue
        model.append(merged["input_rank"].corr(merged["output_rank"]))
        average.append(merged["input_rank"].corr(merged["mean_rank"]))
    return model, average


def test_rank_correlations_by_a_plain_reading(cells):
    """The paper's outer join and averages in pandas; in and out of sample, and without a donor; 1e-6."""
    found = recover(Ranks(longest=80), cells)
    table = entries(Ranks(longest=80), cells, 0.0).astype({"target": float})

    for recipe, in_sample in ((KEDZIERSKA2023, True), (DEFAULT, False)):
        model, average = paper_correlations(table, in_sample)
        assert score(found, "rank_correlation", recipe=recipe).value == pytest.approx(np.mean(model), abs=1e-6)
        theirs = score(found, "rank_correlation", "average_rank", recipe)
        assert theirs.value == pytest.approx(np.mean(average), abs=1e-6)
        donor = theirs.units[3]
        _, rest = paper_correlations(table[table["donor"] != donor], in_sample)
        assert theirs.leave_outs[3] == pytest.approx(np.mean(rest), abs=1e-6)
    assert score(found, "rank_correlation", "identity_copy").value == pytest.approx(1)


def guessed(table: pd.DataFrame, n_tokens: int) -> dict[str, float]:
    """Return accuracy, top 10 and cross-entropy of what stood most often at a rank in other donors' cells."""
    table = table.assign(level=np.minimum((table["target"] * 20).astype(int), 19))
    found = []
    for donor in table["donor"].unique():
        others = table[table["donor"] != donor]
        counts = np.zeros((20, n_tokens))
        np.add.at(counts, (others["level"], others["true"]), 1)
        overall = (counts.sum(axis=0) + 1) / (counts.sum() + n_tokens)
        mine = table[(table["donor"] == donor) & table["masked"]]
        for cell, level, true in mine[["cell", "level", "true"]].to_numpy():
            order = np.argsort(-counts[level], kind="stable")
            likely = (counts[level, true] + 3000 * overall[true]) / (counts[level].sum() + 3000)
            found.append((cell, order[0] == true, true in order[:10], -np.log(likely)))
    columns = ["cell", "token_accuracy", "token_top10", "token_cross_entropy"]
    return dict(pd.DataFrame(found, columns=columns).astype(float).groupby("cell").mean().mean())


def test_hidden_tokens_by_a_plain_reading(cells):
    """Hits, top ten and cross-entropy of model and of the gene found most often at a rank; 1e-9."""
    found = recover(Ranks(longest=80), cells, 0.15)
    table = entries(Ranks(longest=80), cells, 0.15)
    theirs = guessed(table, int(table["true"].max()) + 1)
    hid = table[table["masked"]]
    ours = {
        "token_accuracy": hid["token"] == hid["true"],
        "token_top10": hid["likelier"] < 10,
        "token_cross_entropy": -hid["log_probability"].astype(float),
    }
    for statistic, values in ours.items():
        expected = values.groupby(hid["cell"]).mean().mean()
        assert score(found, f"{statistic}_m15").value == pytest.approx(expected, rel=1e-9)
        their_score = score(found, f"{statistic}_m15", "average_rank")
        assert their_score.value == pytest.approx(theirs[statistic], rel=1e-9)
    donor = their_score.units[2]
    rest = guessed(table[table["donor"] != donor], int(table["true"].max()) + 1)
    assert their_score.leave_outs[2] == pytest.approx(rest["token_cross_entropy"], rel=1e-9)


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6), st.integers(0, 2**32 - 1))
def test_correlations_are_scipys(lengths, seed):
    """Pearson's r cell by cell; NaN where the truth does not vary, 0 where only the prediction does not."""
    from scipy.stats import pearsonr

    generator = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    x, y = generator.random((2, offsets[-1]))
    y[offsets[0] : offsets[1]] = 0.3
    for cell, r in enumerate(correlations(offsets, x, y)):
        here = slice(offsets[cell], offsets[cell + 1])
        if lengths[cell] < 2:
            assert np.isnan(r)
        elif cell == 0:
            assert r == 0
        else:
            assert r == pytest.approx(pearsonr(x[here], y[here]).statistic, abs=1e-9)


# --- what must not matter


@pytest.mark.parametrize("masked", [0.0, 0.15])
@pytest.mark.parametrize("kind", [Bins, Ranks])
def test_order_and_windows_change_nothing(cells, kind, masked):
    """Cells permuted, genes permuted, other windows: every value and leave-out is the same to 1e-9."""
    few = cells.subset(np.arange(0, 240, 2))
    generator = np.random.default_rng(1)
    permuted = few.subset(generator.permutation(few.n_cells)).with_genes(generator.permutation(len(few.symbols)))
    turned = replace(permuted)
    plain = recover(kind(), few, masked)
    for other in (recover(kind(window=7), few, masked), recover(kind(), turned, masked)):
        assert other["units"] == plain["units"]
        for way, statistics in plain["columns"].items():
            for statistic, sides in statistics.items():
                for who, columns in sides.items():
                    np.testing.assert_allclose(other["columns"][way][statistic][who], columns, rtol=1e-9, atol=1e-12)


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
        recover(Odd(change), cells, 0.15)


def with_short_cells(dataset: Dataset) -> Dataset:
    """Return the dataset with one cell of one gene and one of two equal genes."""
    counts = dataset.counts.copy().tolil()
    counts[0], counts[1] = 0, 0
    counts[0, 5], counts[1, 6], counts[1, 7] = 1, 3, 3
    return replace(dataset, counts=counts.tocsr())


def test_short_and_fully_hidden_cells(cells):
    """A cell of one gene is hidden whole and scored; it has no ranking, for nobody, and drops out of both sides."""
    odd = with_short_cells(cells)
    hid = recover(Bins(), odd, 0.15)
    assert hid["n_scored"] == 240
    assert np.isfinite(score(hid, "mse_gep_m15").value)
    shown = recover(Ranks(longest=50), odd)
    assert shown["described"]["rank_correlation"]["count"] == (odd.counts.getnnz(axis=1) > 1).sum() < 240
    for who in (CANDIDATE, "average_rank", "identity_copy"):
        assert np.isfinite(score(shown, "rank_correlation", who).value)


def test_nothing_hidden_that_could_be_scored_is_no_pass(cells):
    """Cells without any entry give NaN, which no policy lets pass."""
    empty = replace(cells, counts=cells.counts * 0)
    found = recover(Bins(), empty, 0.15)
    ours, theirs = score(found, "mse_gep_m15"), score(found, "mse_gep_m15", "mean")
    assert np.isnan(ours.value)
    for policy in ("beats", "noninferior", "point"):
        assert not judge(ours, theirs, policy=policy)


def test_a_constant_prediction_is_no_ranking(cells):
    """One token named everywhere correlates with nothing worth having, and loses to the average ranking."""

    class Constant(Ranks):
        def _window(self, *given):
            part = super()._window(*given)
            return replace(part, predictions={**part.predictions, "token": np.full_like(part.tokens, 3)})

    found = recover(Constant(longest=80), cells)
    ours, theirs = score(found, "rank_correlation"), score(found, "rank_correlation", "average_rank")
    assert not judge(ours, theirs)
    assert judge(ours, theirs).outcome == "loses"


def test_metrics_refuse_another_share(cells):
    """A metric of 15 % hidden genes is not read off a pass with all genes shown."""
    with pytest.raises(ValueError, match="mse_gep_m15 is of 15 % hidden genes, not of 0 %"):
        score(recover(Bins(), cells), "mse_gep_m15")


def test_without_donors_there_is_no_interval(cells):
    """Averages are then fitted over batches, and the verdict stays open."""
    found = recover(Bins(), replace(cells, donors=None), 0.15)
    assert found["groups"] == "batch"
    assert score(found, "mse_gep_m15").leave_outs == ()
    assert judge(score(found, "mse_gep_m15"), score(found, "mse_gep_m15", "mean")).interval is None
    assert recover(Bins(), replace(cells, donors=None, batches=None), 0.15)["groups"] == "group of cells"

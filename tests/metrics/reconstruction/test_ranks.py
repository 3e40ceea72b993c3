"""Reconstructed ranks: the paper's joins and averages in pandas on real cells, SciPy's correlations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstructors import Ranks, entries, reconstructed, score

from zsgate.metrics.reconstruction.ranks import UNITS, correlations
from zsgate.verdict.recipe import DEFAULT, KEDZIERSKA2023
from zsgate.verdict.verdict import judge


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
    found = reconstructed(Ranks(longest=80), cells)
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
    """Return accuracy, top 10 and cross-entropy of what stood most often at a rank in other donors' cells.

    Every cell counts the same, in units whose sums are exact: ties fall to the smaller token.
    """
    table = table.assign(level=np.minimum((table["target"] * 20).astype(int), 19))
    table["weight"] = np.rint(UNITS / table.groupby("cell")["true"].transform("size"))
    found = []
    for donor in table["donor"].unique():
        others = table[table["donor"] != donor]
        counts = np.zeros((20, n_tokens))
        np.add.at(counts, (others["level"], others["true"]), others["weight"])
        worth = counts.sum() / len(others)  # of a token that was not seen: what one counts for on average
        overall = (counts.sum(axis=0) + worth) / (counts.sum() + worth * n_tokens)
        mine = table[(table["donor"] == donor) & table["masked"]]
        for cell, level, true in mine[["cell", "level", "true"]].to_numpy():
            order = np.argsort(-counts[level], kind="stable")
            likely = (counts[level, true] + 3000 * worth * overall[true]) / (counts[level].sum() + 3000 * worth)
            found.append((cell, order[0] == true, true in order[:10], -np.log(likely)))
    columns = ["cell", "token_accuracy", "token_top10", "token_cross_entropy"]
    return dict(pd.DataFrame(found, columns=columns).astype(float).groupby("cell").mean().mean())


def test_hidden_tokens_by_a_plain_reading(cells):
    """Hits, top ten and cross-entropy of model and of the gene found most often at a rank; 1e-9."""
    found = reconstructed(Ranks(longest=80), cells, 0.15)
    table = entries(Ranks(longest=80), cells, 0.15)
    theirs = guessed(table, int(table["true"].max()) + 1)
    hid = table[table["masked"]]
    ours = {
        "token_accuracy": hid.token == hid.true,
        "token_top10": hid.likelier < 10,
        "token_cross_entropy": -hid.log_probability.astype(float),
    }
    for statistic, values in ours.items():
        expected = values.groupby(hid.cell).mean().mean()
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


def test_a_constant_prediction_is_no_ranking(cells):
    """One token named everywhere correlates with nothing worth having, and loses to the average ranking."""

    class Constant(Ranks):
        def window_of(self, *given):
            part = super().window_of(*given)
            return replace(part, predictions={**part.predictions, "token": np.full_like(part.tokens, 3)})

    found = reconstructed(Constant(longest=80), cells)
    ours, theirs = score(found, "rank_correlation"), score(found, "rank_correlation", "average_rank")
    assert not judge(ours, theirs)
    assert judge(ours, theirs).outcome == "loses"

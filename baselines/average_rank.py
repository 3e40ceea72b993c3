"""Average rank: each gene is predicted at its average rank, and each rank to hold the gene found there most often.

For rank correlations the average ranking of Kedzierska et al. 2025: the mean of a gene's rank over the cells where it
is above 0, on the same union of tokens as the model's. For hidden tokens what the paper has no baseline for: how often
each gene stood in that twentieth of the ranking, entries weighing as in the score. Both learn from the cells of other
donors, except in the paper's recipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.system.compiled import compiled

if TYPE_CHECKING:
    from zsgate.metrics.reconstruction.ranks import RankTally
    from zsgate.metrics.reconstruction.values import Weight

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
FLAT = 1e-12  # variance of an entry below which a ranking counts as constant
PRIOR = 3_000  # weight, in tokens, of how often a gene stands at any rank, beside how often it stands at this one


def guesses(tally: RankTally, weight: Weight, *, in_sample: bool = False) -> dict[str, list[float]]:
    """Return each statistic of the average ranking: of hidden tokens where some are hidden, else of all ranks.

    Parameters
    ----------
    tally
        What remains of the candidate's windows.
    weight
        ``"cells"`` or ``"pooled"``.
    in_sample
        Learn from everybody, the cell itself too, as the paper's code does; else from the other groups.
    """
    if tally.share:
        return hidden_tokens(tally, weight, in_sample=in_sample)
    return {"rank_correlation": rank_correlation(tally, in_sample=in_sample)}


def rank_correlation(tally: RankTally, *, in_sample: bool = False) -> list[float]:
    """Return the mean correlation of true with average ranks, over everybody and without each unit."""
    size = tally.groups.size
    sums, weights = np.zeros((1 + size, size)), np.zeros(size)
    width, seen = 0, tally.seen
    for union in tally.unions():
        width = max(width, int(union.tokens.max(initial=-1)) + 1, seen.shape[2])
        if width > seen.shape[2]:
            seen = np.pad(seen, ((0, 0), (0, 0), (0, width - seen.shape[2])))
        groups = tally.groups.codes[union.cells].astype(np.int64)
        by_token = np.ascontiguousarray(seen.transpose(0, 2, 1))
        r = pearson(union.offsets, union.tokens, union.true, groups, by_token, in_sample)
        known = np.isfinite(r[:, 0])
        np.add.at(sums.T, groups[known], np.nan_to_num(r[known]))
        np.add.at(weights, groups[known], 1.0)
    return tally.groups.columns(sums, weights)


@compiled
def pearson(
    offsets: Integers,
    tokens: npt.NDArray[np.int32],
    true: npt.NDArray[np.float32],
    groups: Integers,
    seen: Doubles,
    in_sample: bool,
) -> Doubles:
    """Return Pearson's r of true with average ranks of each cell, (n_cells, 1 + n_groups).

    Column 0 averages over all groups but the cell's own (``in_sample``: its own too), column 1 + u also without u.
    NaN where the true ranks are constant, 0 where only the averages are.

    Parameters
    ----------
    offsets, tokens, true
        The entries of cell i are ``offsets[i]`` to ``offsets[i + 1]``: their tokens and true ranks.
    groups
        Group of each cell, (n_cells,).
    seen
        Number of cells of each group in which a token ranks above 0, and the sum of these ranks, (2, n_tokens,
        n_groups).
    in_sample
        Whether a cell's own group counts.
    """
    number, total = seen[0], seen[1]
    n_groups = number.shape[1]
    found = np.empty((len(groups), 1 + n_groups))
    whole_number, whole_total = number.sum(axis=1), total.sum(axis=1)
    row, sums, squares, products = np.empty((4, 1 + n_groups))
    for cell in range(len(groups)):
        start, stop, own = offsets[cell], offsets[cell + 1], groups[cell]
        sums[:], squares[:], products[:] = 0.0, 0.0, 0.0
        x_sum, x_squares = 0.0, 0.0
        for entry in range(start, stop):
            token, x = tokens[entry], float(true[entry])
            x_sum += x
            x_squares += x * x
            n, t = whole_number[token], whole_total[token]
            if not in_sample:
                n -= number[token, own]
                t -= total[token, own]
            row[0] = t / n if n > 0.5 else 0.0
            for group in range(n_groups):
                left, rest = n - number[token, group], t - total[token, group]
                row[1 + group] = rest / left if left > 0.5 else 0.0
            if not in_sample:
                row[1 + own] = row[0]
            for column in range(1 + n_groups):
                y = row[column]
                sums[column] += y
                squares[column] += y * y
                products[column] += x * y
        for column in range(1 + n_groups):
            y_moments = sums[column], squares[column]
            found[cell, column] = correlation(stop - start, (x_sum, x_squares), y_moments, products[column])
    return found


@compiled
def correlation(n: int, x: tuple[float, float], y: tuple[float, float], products: float) -> float:
    """Return Pearson's r from the sums and sums of squares of x and of y and the sum of their products.

    NaN where x is constant, 0 where only y is.
    """
    length = max(n, 1)
    xx, yy = x[1] - x[0] * x[0] / length, y[1] - y[0] * y[0] / length
    if xx <= FLAT * length:
        return np.nan
    if yy <= FLAT * length:
        return 0.0
    return float((products - x[0] * y[0] / length) / np.sqrt(xx * yy))


def hidden_tokens(tally: RankTally, weight: Weight, *, in_sample: bool = False) -> dict[str, list[float]]:
    """Return accuracy, top 10 and cross-entropy, over everybody and without each unit."""
    from zsgate.metrics.reconstruction.ranks import STATISTICS, TOP

    size = tally.groups.size
    scored = tally.hidden[("cells", "pooled").index(weight)]
    sums = {statistic: np.zeros((1 + size, size)) for statistic in STATISTICS}
    levels = tally.levels[weight]
    whole, n_learnt = levels.sum(axis=0, dtype=np.int64), tally.levels["pooled"].sum(axis=(1, 2))
    for left_out in range(-1, size):
        for group in range(size):
            without = sorted(({left_out} if in_sample else {left_out, group}) - {-1})
            counts = whole - levels[without].sum(axis=0, dtype=np.int64)
            worth = counts.sum() / max(n_learnt.sum() - n_learnt[without].sum(), 1) or 1.0
            found = _guessed(counts, scored[group], TOP, worth)
            for statistic, value in zip(STATISTICS, found, strict=True):
                sums[statistic][1 + left_out, group] = value
    weights = scored.sum(axis=(1, 2))
    return {statistic: tally.groups.columns(each, weights) for statistic, each in sums.items()}


def _guessed(counts: Integers, scored: Doubles, top: int, worth: float) -> tuple[float, float, float]:
    """Return the summed hits, hits among the ``top`` and cross-entropy of hidden tokens, all (n_levels, n_tokens).

    ``worth`` is what one token counts for on average, and so one that was not seen.
    """
    n_tokens = counts.shape[1]
    ranked = counts * n_tokens + np.arange(n_tokens)[::-1]  # of equally frequent tokens the smaller comes first
    first = np.argpartition(-ranked, min(top, n_tokens) - 1, axis=1)[:, :top]
    best = np.argmax(ranked, axis=1)
    level, token = np.nonzero(scored)
    overall = (counts.sum(axis=0) + worth) / (counts.sum() + worth * n_tokens)
    prior = worth * PRIOR
    likely = (counts[level, token] + prior * overall[token]) / (counts.sum(axis=1)[level] + prior)
    entropy = -float(np.sum(scored[level, token] * np.log(likely)))
    hits = scored[np.arange(len(best)), best].sum()
    return float(hits), float(np.take_along_axis(scored, first, axis=1).sum()), entropy

"""Splits: donors in complementary halves, so chosen that few splits say what all would."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Signs = npt.NDArray[np.float64]
TRIED = 100  # random splits of which the best is taken and bettered
MOST_DEALT = 256  # more than that are split at random: no pair matters


def balanced(n_dealt: int, n_splits: int) -> npt.NDArray[np.bool_]:
    """Return splits in halves where any two are on the same side about as often as not.

    As in balanced repeated replication (McCarthy 1969): of a mean over donors the halves' variance is then that of all
    splits together, where random splits of the same number would miss it by chance. Every split is the best of many
    random ones, bettered by exchanges.

    Parameters
    ----------
    n_dealt
        How many there are to split, at least 2.
    n_splits
        How many splits are wanted; with few donors there are fewer.

    Returns
    -------
    Whether each is in the first half, shape (n_splits, n_dealt).
    """
    different = math.comb(n_dealt, n_dealt // 2) // (2 - n_dealt % 2)
    generator = np.random.default_rng([n_dealt, n_splits])
    start = np.where(np.arange(n_dealt) < n_dealt // 2, 1.0, -1.0)
    if n_dealt > MOST_DEALT:
        return np.array([generator.permutation(start) > 0 for _ in range(n_splits)])
    together, chosen = np.zeros((n_dealt, n_dealt)), []
    for _ in range(min(n_splits, different)):
        tried = np.array([generator.permutation(start) for _ in range(TRIED)])
        costs = np.einsum("ti,ij,tj->t", tried, together, tried)
        best = _bettered(tried[costs.argmin()], together)
        together += np.outer(best, best)
        chosen.append(best > 0)
    return np.array(chosen)


def _bettered(signs: Signs, together: Signs) -> Signs:
    """Exchange two of different halves as long as that brings fewer together that were together before."""
    while True:
        left, right = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
        pull, own = together @ signs, np.diagonal(together)
        gained = (pull - own)[left][:, None] - (pull + own)[right] + 2 * together[np.ix_(left, right)]
        one, other = np.unravel_index(int(gained.argmax()), gained.shape)
        if gained[one, other] <= 0:
            return signs
        signs = signs.copy()
        signs[left[one]], signs[right[other]] = -1, 1

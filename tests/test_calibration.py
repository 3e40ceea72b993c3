"""Equal models on real cells: how many are called better, and how the benchmark counts them."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from benchmarks.calibration import RULES, Pair, joined, summary
from benchmarks.equal_models import SETTINGS, cells_of, moved
from zsgate.baselines import pca
from zsgate.metrics import asw
from zsgate.verdict.interval import seed_variance
from zsgate.verdict.score import Score
from zsgate.verdict.verdict import judge

CELL_NOISE = SETTINGS[0]


def test_equal_models_are_rarely_called_better_on_real_cells():
    """780 pairs of 40 equally noisy embeddings of 1,500 pancreas cells: at most 7 % false passes by asw."""
    dataset = cells_of(CELL_NOISE.cells, None)
    base = np.asarray(pca.embed(dataset)[0][0], dtype=np.float32)
    units = np.unique(dataset.donors, return_inverse=True)[1]
    scores = [asw(moved(base, units, CELL_NOISE, member), dataset) for member in range(40)]
    passed = sum(judge(a, b).passed + judge(b, a).passed for a, b in combinations(scores, 2))
    assert 0 < passed / 1560 <= 0.07


def test_members_of_a_pool_differ_as_the_setting_says():
    """Noise of a cell is its own, shifts are those of its donor, and the same member comes out the same."""
    base, units = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32), np.arange(600) % 6
    for setting in SETTINGS[:3]:
        first, again, other = (moved(base, units, setting, member) for member in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        between = np.array([(first - base)[units == unit].mean(axis=0) for unit in range(6)]).std()
        assert (between > 0.2) == (setting.effect == "donor shifts")
        assert 0.2 < (other - base).std() < 2


def test_rates_and_power_are_those_of_the_pairs():
    """Of four pairs with differences 1, -1, 0 and 3 an interval of reach 2 passes one in eight directions."""
    found = [
        Pair(members, difference, dict.fromkeys(RULES, 2.0), 5.0)
        for members, difference in [((0, 1), 1.0), ((1, 2), -1.0), ((0, 2), 0.0), ((2, 3), 3.0)]
    ]
    result = summary(found, 4)
    assert result["rules"]["zsgate"]["rate"] == pytest.approx(1 / 8)
    low, high = result["rules"]["zsgate"]["binomial"]
    assert low < 1 / 8 < high
    assert result["found_80"] == pytest.approx(np.quantile([1, 3, 2, -1, 3, 1, 2, 5], 0.8))
    assert result["quoted"] == 5


def test_sides_of_refits_are_their_mean():
    """Value, leave-outs and seeds are those of a side of three draws; split s has the halves of refit s."""
    draws = [Score("nmi", v, (v,), (v, v + 1), ("a", "b"), unit_halves=((v, 0.0),) * 4) for v in (0.1, 0.2, 0.6)]
    side = joined(draws)
    assert (side.value, side.draws) == (pytest.approx(0.3), (0.1, 0.2, 0.6))
    assert side.leave_outs == pytest.approx((0.3, 1.3))
    assert [pair[0] for pair in side.unit_halves] == [0.1, 0.2, 0.6, 0.1]
    assert math.sqrt(seed_variance(side.draws)) == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1) / math.sqrt(3))

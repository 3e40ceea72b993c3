"""How often a verdict calls equal models different, and what difference it finds: false passes and power.

    python -m benchmarks.calibration --cache FOLDER [--members 40] [--refits 9] [--kang FILE] [--only PATTERN]

Each embedding of a pool (``benchmarks.equal_models``) is scored once and kept in the cache, so an interrupted run goes
on where it was; every pair is judged in both directions at a nominal 5 % (an untrained twin against others in one).
Pairs share members, so beside the binomial interval stands a bootstrap over members. On the same pairs: the bare
comparison with a margin of 0.01, for asw the cells alone (per-cell silhouettes, the limit of a bootstrap over cells),
and the conditional jackknife, which leaves donors out with distances and partitions fixed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from scipy.stats import t as student

from benchmarks.equal_models import NAMES, SETTINGS, Member, Setting, cells_of, pool
from zsgate.metrics import METRICS
from zsgate.system.store import Store
from zsgate.verdict.interval import LEVEL, jackknife_variance, seed_variance
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Terms
from zsgate.verdict.verdict import judge

RULES = ("zsgate", "conditional jackknife", "cells alone", "margin 0.01")
PAIRS = 435  # where a side has several members
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two equal models: who they are, the difference, and half the width of the interval by each rule."""

    members: tuple[int, ...]
    difference: float
    reach: dict[str, float]
    detectable: float


def pairs(metric: str, members: list[Member], donors: npt.NDArray[np.str_], setting: Setting) -> Iterator[Pair]:
    """Yield all pairs of members, or pairs of disjoint sides of several."""
    n = len(members)
    sides: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((i,), (j,)) for i, j in combinations(range(n), 2)]
    if setting.sides != (1, 1):
        n_ours, n_both = setting.sides[0], sum(setting.sides)
        generator = np.random.default_rng(0)
        dealt = [generator.permutation(n).tolist() for _ in range(PAIRS)]
        sides = [(tuple(deal[:n_ours]), tuple(deal[n_ours:n_both])) for deal in dealt]
    for first, second in sides:
        ours, theirs = (joined([members[i].scores[metric] for i in side]) for side in (first, second))
        verdict = judge(ours, theirs, Terms(exchangeable=setting.effect == "projection"))
        if verdict.interval is None:
            continue
        widths = [np.mean([members[i].widths for i in side], axis=0) for side in (first, second)]
        reach = {"zsgate": (verdict.interval[1] - verdict.interval[0]) / 2, "margin 0.01": 0.01}
        quantile = float(student.ppf((1 + LEVEL) / 2, verdict.n_units - 1))
        seeds = seed_variance(ours.draws) + seed_variance(theirs.draws)
        if metric == "asw":
            gap = widths[0] - widths[1]
            fixed = _about_mean(np.array([gap[donors != donor].mean() for donor in np.unique(donors)]))
            cells = float(gap.var(ddof=1) / len(gap))
        else:
            fixed, cells = _about_mean(np.array(ours.leave_outs) - np.array(theirs.leave_outs)), math.nan
        reach["conditional jackknife"] = quantile * math.sqrt(fixed + seeds)
        reach["cells alone"] = quantile * math.sqrt(cells + seeds)
        yield Pair((*first, *second), verdict.difference, reach, verdict.detectable or math.nan)


def _about_mean(leave_outs: Floats) -> float:
    """Return the plain jackknife variance, about the mean of the leave-outs."""
    return jackknife_variance(float(leave_outs.mean()), leave_outs)


def joined(scores: list[Score]) -> Score:
    """Return the score of a side of several refits: where cells are clustered, split s takes the halves of refit s."""
    if len(scores) == 1:
        return scores[0]
    halves = np.array([score.unit_halves for score in scores])
    n_splits = halves.shape[1]
    clusters = METRICS[scores[0].metric].clusters
    of_side = halves[np.arange(n_splits) % len(scores), np.arange(n_splits)] if clusters else halves.mean(axis=0)
    draws = tuple(score.value for score in scores)
    without = np.mean([score.leave_outs for score in scores], axis=0)
    return replace(
        scores[0],
        value=float(np.mean(draws)),
        draws=draws,
        leave_outs=tuple(without.tolist()),
        unit_halves=tuple(map(tuple, of_side.tolist())),
    )


def summary(found: list[Pair], n_members: int, *, one_way: bool = False) -> dict[str, Any]:
    """Return the rates of false passes with both intervals, and the power; ``one_way`` if only ours can be better."""
    directions = 1 if one_way else 2
    d = np.array([pair.difference for pair in found])
    result: dict[str, Any] = {"pairs": len(found), "sd": float(d.std()), "rules": {}}
    weights = _weights(found, n_members)
    for rule in RULES:
        reach = np.array([pair.reach[rule] for pair in found])
        if not np.isfinite(reach).all():
            continue
        passes = ((d if one_way else np.abs(d)) > reach).astype(float)  # of two directions at most one passes
        count = binomtest(int(passes.sum()), directions * len(found)).proportion_ci()
        again = weights @ passes / np.maximum(weights.sum(axis=1), 1e-12) / directions
        result["rules"][rule] = {
            "rate": float(passes.mean() / directions),
            "binomial": [count.low, count.high],
            "members": np.quantile(again, [0.025, 0.975]).tolist(),
        }
    reach = np.array([pair.reach["zsgate"] for pair in found])
    needed = np.concatenate([reach - d, reach + d])  # a true difference above it is found
    result["found_80"] = float(np.quantile(needed, 0.8))
    result["quoted"] = float(np.median([pair.detectable for pair in found]))
    grid = np.linspace(0, 2 * result["found_80"], 41)
    result["power"] = [grid.tolist(), [float((needed < step).mean()) for step in grid]]
    return result


def _weights(found: list[Pair], n_members: int, n_draws: int = 1000) -> Floats:
    """Return the weight of each pair in bootstrap samples of members, shape (n_draws, n_pairs)."""
    counts = np.random.default_rng(1).multinomial(n_members, [1 / n_members] * n_members, n_draws).astype(float)
    members = np.array([pair.members for pair in found])
    return np.asarray(np.prod(counts[:, members], axis=2))


def measured(setting: Setting, asked: argparse.Namespace, store: Store) -> dict[str, Any]:
    n_members = asked.refits if setting.effect == "scvi" else asked.members
    members = []
    for member in pool(setting, n_members, asked.kang, store):
        members.append(member)
        print(f"\r{setting.name}: {len(members)} of {n_members}", end="", flush=True)
    donors = cells_of(setting.cells, asked.kang).donors
    assert donors is not None
    one_way = len(set(setting.sides)) > 1
    return {name: summary(list(pairs(name, members, donors, setting)), n_members, one_way=one_way) for name in NAMES}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    head = ["setting", "metric", "zsgate", "binomial", "members", *RULES[1:], "found with 80 %", "quoted"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for setting, metrics in results.items():
        for metric, found in metrics.items():
            rules = found["rules"]
            ours = rules["zsgate"]
            low, high = (" to ".join(f"{100 * end:.1f}" for end in ours[how]) for how in ("binomial", "members"))
            rest = [f"{100 * rules[rule]['rate']:.1f} %" if rule in rules else "" for rule in RULES[1:]]
            power = [f"{found['found_80']:.3f}", f"{found['quoted']:.3f}"]
            lines.append(
                "| " + " | ".join([setting, metric, f"{100 * ours['rate']:.1f} %", low, high, *rest, *power]) + " |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--members", type=int, default=40)
    parser.add_argument("--refits", type=int, default=9)
    parser.add_argument("--kang", type=Path)
    parser.add_argument("--only", default="", help="run the settings whose name matches this pattern")
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    store, results = Store(asked.cache), {}
    for setting in SETTINGS:
        if not re.search(asked.only, setting.name) or (setting.cells == "kang_6" and asked.kang is None):
            continue
        results[setting.name] = measured(setting, asked, store)
        print("\r" + table({setting.name: results[setting.name]}), flush=True)
        (asked.cache / "calibration.json").write_text(json.dumps(results))
    if asked.figure is not None:
        from benchmarks.figures import draw

        draw(results, asked.figure)


if __name__ == "__main__":
    main()

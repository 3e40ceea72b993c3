"""How many untrained twins a verdict needs: what the difference it can find costs by their number, and its level.

    python -m benchmarks.twins --cache FOLDER [--twins 10]

Twins of CELLama and of a random network of two layers embed the quick tier's 1,500 cells, each is scored once. The
trained model is judged against S of them, drawn many times, and so is every twin against S others, which a verdict at a
nominal 5 % should pass in at most as many cases. The simulation below it draws donors and twins from normal
distributions with the share of the variance between twins that was seen, and judges by the product's own interval.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import numpy.typing as npt

from benchmarks.calibration import joined
from benchmarks.equal_models import NAMES, kept_scores
from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.system.store import Store
from zsgate.verdict.interval import Resamples, infer
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Terms
from zsgate.verdict.verdict import judge

NUMBERS = (2, 3, 4, 5, 8)  # of twins
SHARES = (0.02, 0.1, 0.3, 1.0, 4.0)  # variance between twins, of the donors', in the simulation
DRAWS = 60
Rows = npt.NDArray[np.float32]


def cellama(dataset: Dataset, store: Store, n_twins: int) -> Iterator[Rows]:
    """Yield the embedding of CELLama, trained and untrained."""
    from zsgate.models.families.cellama.adapter import CELLama

    model = CELLama()
    for seed in (None, *range(n_twins)):
        twin = model if seed is None else model.random_init(seed)

        def compute(twin: Any = twin) -> tuple[list[Rows], dict[str, Any]]:
            return [np.asarray(twin.embed(dataset), dtype=np.float32)], {}

        (rows,), _ = store.arrays("twin", {"seed": seed, "dataset": dataset.digest, "dtype": model.dtype}, compute)
        yield rows


def network(dataset: Dataset, n_twins: int) -> Iterator[Rows]:
    """Yield the log counts behind two random layers; the first is the one that is judged."""
    logs = dataset.counts.log1p()
    for seed in range(n_twins + 1):
        generator = np.random.default_rng([7, seed])
        first = generator.normal(size=(logs.shape[1], 128)) / np.sqrt(logs.shape[1])
        hidden = np.maximum(np.asarray(logs @ first), 0)
        yield np.asarray(hidden @ generator.normal(size=(128, 64)), dtype=np.float32)


def measured(name: str, ours: dict[str, Score], twins: list[dict[str, Score]]) -> Iterator[str]:
    """Yield the rows of the table of one model: a metric each."""
    generator = np.random.default_rng(0)
    for metric in NAMES:
        found: dict[int, list[float]] = {}
        passed: dict[int, list[bool]] = {}
        shares = []
        for number in (n for n in NUMBERS if n < len(twins)):
            for _ in range(DRAWS):
                one, *some = generator.permutation(len(twins))[: number + 1].tolist()
                theirs = joined([twins[each][metric] for each in some])
                verdict = judge(ours[metric], theirs, Terms(exchangeable=True))
                found.setdefault(number, []).append(verdict.detectable or np.nan)
                assert verdict.variance is not None
                shares.append(np.var(theirs.draws, ddof=1) / verdict.variance.sample)
                as_twin = judge(twins[one][metric], theirs, Terms(exchangeable=True))
                passed.setdefault(number, []).append(as_twin.passed)
        columns = [f"{np.median(each):.3f}, {100 * np.mean(passed[number]):.0f} %" for number, each in found.items()]
        yield f"| {name} | {metric} | {np.median(shares):.2f} | " + " | ".join(columns) + " |"


def simulated(share: float, n_draws: int = 4000) -> str:
    """Return a row of the simulation: donors like the quick tier's, twins that differ by a share of their variance."""
    generator = np.random.default_rng(1)
    columns = []
    for number in NUMBERS:
        reach, passes = [], 0
        for _ in range(n_draws):
            donors = generator.normal(size=10)  # effects of donors on the difference, variance 1 of their mean
            twins = np.sqrt(share) * generator.normal(size=number + 1)
            leave_outs = (donors.sum() - donors) / 9
            d = donors.mean() * np.sqrt(10) + twins[0] - twins[1:].mean()
            resamples = Resamples(
                value=d,
                leave_outs=d + (leave_outs - donors.mean()) * np.sqrt(10),
                unit_halves=np.empty((0, 2)),
                n_effective=10,
            )
            found = infer(d, [resamples], ([0.0], twins[1:].tolist()), exchangeable=True)
            assert found.interval is not None
            assert found.detectable is not None
            passes += found.interval[0] > 0
            reach.append(found.detectable)
        columns.append(f"{np.median(reach):.2f}, {100 * passes / n_draws:.1f} %")
    return f"| simulated | | {share:g} | " + " | ".join(columns) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--twins", type=int, default=10)
    asked = parser.parse_args()
    store, dataset = Store(asked.cache), load("pancreas_quick")
    print("| model | metric | twins' variance, of the donors' | " + " | ".join(f"{n} twins" for n in NUMBERS) + " |")
    print("|---|---|---|" + "---|" * len(NUMBERS))
    for share in SHARES:
        print(simulated(share), flush=True)
    for name, rows in (
        ("random network", network(dataset, asked.twins)),
        ("cellama", cellama(dataset, store, asked.twins)),
    ):
        ours, *twins = [kept_scores(each, dataset, store, 5 if at == 0 else 1) for at, each in enumerate(rows)]
        print("\n".join(measured(name, ours, twins)), flush=True)


if __name__ == "__main__":
    main()

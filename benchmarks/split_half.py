"""Whether two halves of the donors agree on how two really different models compare, where nobody knows the truth.

    python -m benchmarks.split_half --cache FOLDER [--files FOLDER] [--sets NAMES] [--splits 16]

Equal models (``benchmarks.calibration``) are equal by construction, so most of what makes donors differ cancels. Here
the models are what a run compares: HVG, PCA, scVI, CELLama, an untrained twin and others. Donors are split in balanced
halves; each half gives a difference and its variance, as a run on these donors alone would. Both are right if the two
differences differ by no more than their variances allow: t at a nominal 10 %. Splits share donors, so the bootstrap
over splits that is given is too narrow. ``variance`` is what the intervals use, over what the differences show.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from benchmarks.equal_models import NAMES, kept_scores, projection
from benchmarks.rungs import cells, trained
from zsgate.baselines import hvg, pca
from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.data.preprocess import highly_variable, log_normalised
from zsgate.metrics import asw, knn_mixing
from zsgate.metrics.splits import balanced
from zsgate.system.store import Store
from zsgate.verdict.interval import degrees
from zsgate.verdict.score import Score
from zsgate.verdict.verdict import Verdict, judge

NOMINAL = 0.1
FEWEST = 12  # donors of a set, so that a half has as many as a verdict needs
Rows = npt.NDArray[np.float32]
Halves = list[tuple[dict[str, Score], dict[str, Score]]]  # of each split, by metric


def methods(dataset: Dataset, store: Store) -> dict[str, Rows]:
    """Return embeddings that are really different, each made on all cells."""
    genes, components = np.asarray(hvg.embed(dataset, on="counts")[0][0]), np.asarray(pca.embed(dataset)[0][0])
    latents = trained(dataset, store)
    found = {"hvg": genes, "hvg of 500": genes[:, ::4], "pca": components, "pca of 10": components[:, :10]}
    found |= {"scvi": latents[0], "scvi again": latents[1], "projection": projection(dataset, 0)}
    found |= dict(zip(("cellama", "its twin"), _cellama(dataset, store), strict=True))
    return {name: np.ascontiguousarray(rows, dtype=np.float32) for name, rows in found.items()}


def _cellama(dataset: Dataset, store: Store) -> list[Rows]:
    from zsgate.models.families.cellama.adapter import CELLama

    def compute() -> tuple[list[Rows], dict[str, Any]]:
        model = CELLama()
        return [np.asarray(each.embed(dataset), dtype=np.float32) for each in (model, model.random_init(0))], {}

    rows, _ = store.arrays("split half", {"dataset": dataset.digest}, compute)
    return list(rows)


def halves(rows: Rows, dataset: Dataset, n_splits: int, store: Store) -> Halves:
    """Return the scores of an embedding in the two halves of each split of the donors."""
    assert dataset.donors is not None
    _, unit = np.unique(dataset.donors, return_inverse=True)
    found = []
    for split in balanced(int(unit.max()) + 1, n_splits):
        left = split[unit]
        one, other = (np.flatnonzero(each) for each in (left, ~left))
        found.append(
            (
                kept_scores(rows[one], dataset.subset(one), store, 5),
                kept_scores(rows[other], dataset.subset(other), store, 5),
            )
        )
    return found


def compared(metric: str, ours: Halves, theirs: Halves) -> Iterator[tuple[float, float, float]]:
    """Yield for each split the gap of its two differences, its variance and the degrees of freedom."""
    for pair, other in zip(ours, theirs, strict=True):
        verdicts: list[Verdict] = [judge(a[metric], b[metric]) for a, b in zip(pair, other, strict=True)]
        parts = [(v.variance.total, v.df) for v in verdicts if v.variance is not None and v.df is not None]
        if len(parts) == 2:
            gap = verdicts[0].difference - verdicts[1].difference
            yield gap, sum(variance for variance, _ in parts), degrees(parts)


def table(name: str, scores: dict[str, Halves]) -> Iterator[str]:
    """Yield the rows of a set, one a metric."""
    generator = np.random.default_rng(0)
    for metric in NAMES:
        found = [list(compared(metric, *pair)) for pair in combinations(scores.values(), 2)]
        if not all(found) or len({len(each) for each in found}) > 1:
            yield f"| {name} | {metric} | not in every half | | |"
            continue
        gap, variance, df = np.moveaxis(np.array(found), 2, 0)  # each (n_pairs, n_splits)
        apart = np.abs(gap) > student.ppf(1 - NOMINAL / 2, df) * np.sqrt(variance)
        again = generator.integers(0, apart.shape[1], (1000, apart.shape[1]))
        low, high = np.quantile(apart[:, again].mean(axis=(0, 2)), [0.025, 0.975])
        ratio = variance.mean() / (gap**2).mean()
        rate = f"{100 * apart.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        yield f"| {name} | {metric} | {rate} | {ratio:.2f} | {math.prod(apart.shape)} |"


def of_gene_halves(dataset: Dataset, n_halves: int = 16) -> dict[str, float]:
    """Return the share of pairs of PCAs of random halves of the variable genes that differ, by metric.

    They are one recipe, and not one checkpoint: a verdict is right to tell them apart.
    """
    logs = log_normalised(dataset, highly_variable(dataset)).toarray()
    made = []
    for seed in range(n_halves):
        some = np.random.default_rng(seed).permutation(logs.shape[1])[: logs.shape[1] // 2]
        left, scale, _ = np.linalg.svd(logs[:, some] - logs[:, some].mean(axis=0), full_matrices=False)
        made.append((left[:, :50] * scale[:50]).astype(np.float32))
    found = {}
    for metric in (asw, knn_mixing):
        scores = [metric(rows, dataset) for rows in made]
        found[metric.name] = float(
            np.mean([judge(*pair).outcome != "inconclusive" for pair in combinations(scores, 2)])
        )
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--sets", default="pancreas_quick,pancreas_hormone2cell")
    parser.add_argument("--splits", type=int, default=16)
    asked = parser.parse_args()
    store = Store(asked.cache)
    print(f"PCAs of random halves of the genes that differ: {of_gene_halves(load('pancreas_quick'))}\n")
    print("| cells | metric | disagree, nominal 10 % | variance | pairs |\n|---|---|---|---|---|")
    for name in asked.sets.split(","):
        dataset = load(name) if name.startswith("pancreas") else cells(name, asked.files)
        if dataset.donors is None or len(np.unique(dataset.donors)) < FEWEST:
            continue
        scores = {}
        for who, rows in methods(dataset, store).items():
            scores[who] = halves(rows, dataset, asked.splits, store)
        print("\n".join(table(name, scores)), flush=True)


if __name__ == "__main__":
    main()

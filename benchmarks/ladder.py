"""Which measure of mixing lets a good embedding win and no bad one: a ladder of embeddings of known worth.

    python -m benchmarks.ladder --cache FOLDER [--files FOLDER] [--sets NAMES] [--study]

Without ``--study`` every rung is put on trial as a candidate: all metrics that decide, against HVG, PCA, three
trainings of scVI and three untrained networks; a row says which claims it fails. With it the measures of mixing are set
side by side: of the package, of scib-metrics, and forms of ``batch_score`` that were tried.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded

import numpy as np
import numpy.typing as npt

from benchmarks.calibration import joined
from benchmarks.equal_models import kept_scores
from benchmarks.rungs import DIALS, FILES, Rung, cells, networks, rungs, trained
from zsgate.baselines import hvg, pca
from zsgate.data.dataset import Dataset
from zsgate.metrics import METRICS
from zsgate.models.embedding import Embedding
from zsgate.run.checks.controls import shuffled_twin
from zsgate.system.store import Store
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Floor, Signal, Terms
from zsgate.verdict.verdict import Verdict, judge

SETS = ("pancreas_quick", *FILES, *(f"dialled {level:g}" for level in DIALS))
DECIDING = ("asw", "nmi", "ari", "avg_bio", "knn_mixing")
SHOWN = ("knn_mixing", "knn_purity", "batch_score", "avg_bio")
STUDIED = ("knn_mixing", "knn_purity", "batch_score", "bras", "ilisi", "kbet", "asw", "nmi")
TRIED = ("less chance", "20 dims", "cilisi", "relative")
NEIGHBOURS, DIMENSIONS = 30, 20
Rows = npt.NDArray[np.float32]
Scores = dict[str, Score]


@dataclass(frozen=True, slots=True)
class Trial:
    """A rung as a candidate: its scores, and the verdict of each baseline and metric that decides."""

    rung: Rung
    scores: Scores
    verdicts: dict[tuple[str, str], Verdict]

    @property
    def failed(self) -> dict[str, list[str]]:
        """The metrics by which it does not pass, with the baselines."""
        found: dict[str, list[str]] = {}
        for (baseline, metric), verdict in self.verdicts.items():
            if not verdict.passed:
                found.setdefault(metric, []).append(baseline)
        return found


def baselines(dataset: Dataset, latents: list[Rows], store: Store) -> dict[str, Scores]:
    """Return the scores of what a candidate must beat."""

    def of(draws: list[Rows]) -> Scores:
        found = [kept_scores(rows, dataset, store, 5 if len(draws) == 1 else 1) for rows in draws]
        return {name: joined([each[name] for each in found]) for name in found[0]}

    return {
        "hvg": of([np.asarray(hvg.embed(dataset, on="counts")[0][0])]),
        "pca": of([np.asarray(pca.embed(dataset)[0][0])]),
        "scvi": of(latents),
        "random_init": of(networks(dataset, range(3))),
    }


def trial(rung: Rung, theirs: dict[str, Scores], dataset: Dataset, store: Store, policy: str, margin: float) -> Trial:
    """Return what a gate says of a rung."""
    ours = kept_scores(rung.rows, dataset, store, 5)
    shuffled = kept_scores(shuffled_twin(Embedding.of(rung.rows), dataset).draws[0], dataset, store, 5)
    verdicts = {}
    for baseline, scores in theirs.items():
        terms = Terms(policy=policy, margin=margin, exchangeable=baseline == "random_init")
        for metric in DECIDING:
            proviso = (
                Floor(ours["knn_purity"], scores["knn_purity"])
                if METRICS[metric].claim == "batches"
                else Signal(ours[metric], shuffled[metric])
            )
            verdicts[baseline, metric] = judge(ours[metric], scores[metric], terms, proviso=proviso)
    return Trial(rung, ours, verdicts)


def reached(name: str, found: list[Trial]) -> Iterator[str]:
    """Yield the table of a set: a row a rung, with its scores and the claims that it fails."""
    yield f"\n| {name} | " + " | ".join(SHOWN) + " | exit | fails by (against) |"
    yield "|---|" + "---|" * (len(SHOWN) + 2)
    for each in found:
        values = " | ".join(f"{each.scores[metric].value:.3f}" for metric in SHOWN)
        said = "; ".join(f"{metric} ({', '.join(names)})" for metric, names in each.failed.items())
        yield f"| {each.rung.name} | {values} | {1 if said else 0} | {said} |"


def studied(rung: Rung, dataset: Dataset, store: Store) -> str:
    """Return a row of the study: the package's and scib-metrics' measures, then those that were tried."""
    embedding = Embedding.of(rung.rows)

    def compute() -> dict[str, float]:
        found = {metric: METRICS[metric](embedding, dataset, seeds=1).value for metric in STUDIED[:2]}
        known = rung.rows, dataset.cell_types  # without donors nobody is left out
        found |= {each: METRICS[each](*known, batches=dataset.batches, seeds=1).value for each in STUDIED[2:]}
        return found | tried(rung.rows, dataset)

    values = store.json("study", {"rows": embedding.digest, "cells": dataset.cells_digest, "n": len(STUDIED)}, compute)
    return f"| {rung.name} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |"


def tried(rows: Rows, dataset: Dataset) -> dict[str, float]:
    """Return measures of mixing that are not the package's, by name.

    ``less chance``: ``batch_score`` plus what it lacks of 1 where batches are drawn anew within types. ``20 dims``: of
    the first principal components. ``cilisi``: within types, inverse Simpson index of batches among 30 neighbours or a
    fifth of the type, scaled to 0..1, mean over types (Andreatta et al. 2024); ``relative``: over that of random
    neighbours.
    """
    from sklearn.decomposition import PCA

    types, batches = (np.unique(names, return_inverse=True)[1] for names in (dataset.cell_types, dataset.batches))
    generator = np.random.default_rng(0)
    chance = batches.copy()
    for kind in range(types.max() + 1):
        here = np.flatnonzero(types == kind)
        chance[here] = generator.permutation(batches[here])
    score = METRICS["batch_score"]
    few = PCA(min(DIMENSIONS, rows.shape[1]), random_state=0).fit_transform(rows).astype(np.float32)
    observed, by_chance = (score(rows, types, batches=each).value for each in (batches, chance))
    lisi, relative = _cilisi(rows, types, batches, generator)
    values = (observed + 1 - by_chance, score(few, types, batches=batches).value, lisi, relative)
    return dict(zip(TRIED, values, strict=True))


def _cilisi(
    rows: Rows, types: npt.NDArray[np.intp], batches: npt.NDArray[np.intp], generator: np.random.Generator
) -> tuple[float, float]:
    from sklearn.neighbors import NearestNeighbors

    scaled, relative = [], []
    for kind in range(types.max() + 1):
        here = np.flatnonzero(types == kind)
        names, own, sizes = np.unique(batches[here], return_inverse=True, return_counts=True)
        if len(names) < 2 or np.sort(sizes)[-2] < 10:
            continue
        k = min(NEIGHBOURS, max(5, len(here) // 5))
        near = NearestNeighbors(n_neighbors=k).fit(rows[here]).kneighbors(return_distance=False)
        others = np.array([generator.choice(len(here) - 1, k, replace=False) for _ in here])
        others += others >= np.arange(len(here))[:, None]
        found = [
            1 / sum((own[some] == name).mean(axis=1) ** 2 for name in range(len(names))) for some in (near, others)
        ]
        scaled.append((found[0].mean() - 1) / (len(names) - 1))
        relative.append((found[0].mean() - 1) / (found[1].mean() - 1))
    return float(np.mean(scaled)), float(np.mean(relative))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--study", action="store_true")
    parser.add_argument("--policy", default="beats")
    parser.add_argument("--margin", type=float, default=0.0)
    asked = parser.parse_args()
    store = Store(asked.cache)
    for name in asked.sets.split(","):
        dataset = cells(name, asked.files)
        latents = trained(dataset, store)
        ladder = rungs(dataset, latents[0])
        if asked.study:
            print(f"\n| {name} | " + " | ".join((*STUDIED, *TRIED)) + " |")
            print("|---|" + "---|" * len((*STUDIED, *TRIED)))
            for rung in ladder:
                print(studied(rung, dataset, store), flush=True)
            continue
        theirs = baselines(dataset, latents, store)
        found = [trial(rung, theirs, dataset, store, asked.policy, asked.margin) for rung in ladder]
        print("\n".join(reached(name, found)), flush=True)


if __name__ == "__main__":
    main()

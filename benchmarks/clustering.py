"""Louvain beside igraph's: CPU time of a partition on one thread, modularity, and the best NMI of 20 resolutions.

    python -m benchmarks.clustering [--seeds 5] [--all] H5AD ...

On real cells (labels in ``cell_type``) in 50 principal components and on made ones: mixtures of normal distributions
with batches, and noise. Both cluster the same graph of 15 neighbours. Modularity is igraph's function for both; means
and the worst resolution are over the seeds. igraph draws as it does by default, from Python's generator.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from itertools import chain, starmap
from pathlib import Path
from typing import NamedTuple

import igraph
import numpy as np
import numpy.typing as npt

from zsgate.baselines import pca
from zsgate.data.annotations import Columns
from zsgate.data.read import read_h5ad
from zsgate.metrics import DEFAULT
from zsgate.metrics.cells import Cells
from zsgate.metrics.clustering.graph import Graph
from zsgate.metrics.clustering.louvain import louvain
from zsgate.metrics.embedding.contingency import everybody, nmi_columns

NEAREST = DEFAULT.n_neighbors - 1
TIMED = (0.3, 1.0, 1.7)  # resolutions that are timed on large sets
LARGE = 10_000  # cells; from here on fewer partitions are made
Clusterer = Callable[[float, int], npt.NDArray[np.integer]]


class Set(NamedTuple):
    """Cells with types, in an embedding."""

    name: str
    rows: npt.NDArray[np.float32]
    labels: npt.NDArray[np.integer]


class Mixture(NamedTuple):
    """Normal distributions of different width and size, one a type, moved by batch."""

    n_cells: int
    n_types: int
    n_dimensions: int
    spread: float
    shift: float


MADE = {
    "made, 1,500 cells": Mixture(1500, 10, 20, 0.7, 0.0),
    "made, 3,000 cells, batches": Mixture(3000, 12, 20, 0.6, 0.5),
    "noise, 3,000 cells": Mixture(3000, 5, 10, 0.0, 0.0),
    "made, 20,000 cells, batches": Mixture(20_000, 30, 30, 0.6, 0.4),
    "made, 100,000 cells, batches": Mixture(100_000, 40, 20, 0.6, 0.4),
}


def made(name: str, mixture: Mixture) -> Set:
    """Return the cells of a mixture, four batches of them."""
    rng = np.random.default_rng(len(name))
    shape = (mixture.n_types, mixture.n_dimensions)
    labels = rng.choice(mixture.n_types, mixture.n_cells, p=rng.dirichlet(np.full(mixture.n_types, 1.5)))
    centres, widths = mixture.spread * rng.normal(size=shape), np.exp(0.3 * rng.normal(size=mixture.n_types))
    shifts = mixture.shift * rng.normal(size=(4, mixture.n_dimensions))
    noise = widths[labels, None] * rng.normal(size=(mixture.n_cells, mixture.n_dimensions))
    return Set(name, (centres[labels] + shifts[rng.integers(0, 4, mixture.n_cells)] + noise).astype(np.float32), labels)


def real(path: Path) -> Set:
    """Return the cells of a file in 50 principal components."""
    dataset = read_h5ad(path, path.stem, Columns(label="cell_type"))
    rows = np.asarray(pca.embed(dataset)[0][0], dtype=np.float32)
    return Set(path.stem, rows, np.unique(dataset.cell_types, return_inverse=True)[1])


def graphs(cells: Set) -> tuple[Graph, igraph.Graph]:
    """Return the neighbour graph of the cells for either clusterer."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=NEAREST, algorithm="brute").fit(cells.rows).kneighbors(return_distance=False)
    ours = Graph.joining(nearest.astype(np.int32))
    starts = np.repeat(np.arange(ours.n_vertices), np.diff(ours.starts))
    return ours, igraph.Graph(n=ours.n_vertices, edges=np.column_stack([starts, ours.ends])[starts < ours.ends])


class Sweep(NamedTuple):
    """Seconds a partition, and of each seed: modularity at each resolution, and the best NMI."""

    seconds: float
    modularity: npt.NDArray[np.float64]
    best_nmi: npt.NDArray[np.float64]


def sweep(make: Clusterer, quality: igraph.Graph, cells: Set, resolutions: tuple[float, ...], seeds: int) -> Sweep:
    """Return what a clusterer comes to."""
    labels, seconds, modularity, nmi = Cells.of(cells.labels), 0.0, [], []
    make(1.0, 0)  # compiles
    for seed in range(seeds):
        started = time.process_time()
        partitions = [np.asarray(make(resolution, seed)) for resolution in resolutions]
        seconds += time.process_time() - started
        pairs = zip(partitions, resolutions, strict=True)
        modularity.append([quality.modularity(partition, resolution=at) for partition, at in pairs])
        nmi.append(max(nmi_columns(everybody(partition, labels))[0] for partition in partitions))
    return Sweep(seconds / seeds / len(resolutions), np.array(modularity), np.array(nmi))


def row_of(cells: Set, asked: argparse.Namespace) -> str:
    """Return the row of a set of cells."""
    ours, theirs = graphs(cells)
    whole = len(cells.rows) < LARGE or asked.all
    resolutions, seeds = (DEFAULT.resolutions, asked.seeds) if whole else (TIMED, asked.seeds)

    def of_igraph(resolution: float, seed: int) -> npt.NDArray[np.integer]:
        random.seed(f"{seed} {resolution}")
        return np.array(theirs.community_multilevel(resolution=resolution).membership)

    def own(resolution: float, seed: int) -> npt.NDArray[np.integer]:
        return louvain(ours, resolution, 1000 * seed + round(10 * resolution))

    before, now = (sweep(make, theirs, cells, resolutions, seeds) for make in (of_igraph, own))
    gap = now.modularity.mean(axis=0) - before.modularity.mean(axis=0)
    times = f"{1e3 * before.seconds:.1f} | {1e3 * now.seconds:.2f} | {before.seconds / now.seconds:.1f}"
    scores = f"{gap.mean():+.4f} | {gap.min():+.4f}"
    if whole:
        spread = [f"{each.best_nmi.mean():.4f} ± {each.best_nmi.std(ddof=1):.4f}" for each in (before, now)]
        apart = now.best_nmi.mean() - before.best_nmi.mean()
        scores += f" | {' | '.join(spread)} | {apart:+.4f}"
    else:
        scores += " | | | "
    return f"| {cells.name} | {len(cells.rows):,} | {times} | {scores} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="all resolutions and seeds on large sets, too: minutes")
    asked = parser.parse_args()
    head = ("cells", "number", "igraph, ms", "zsgate, ms", "ratio", "modularity, mean", "worst resolution")
    nmi = ("best NMI, igraph", "best NMI, zsgate", "difference")
    print("| " + " | ".join((*head, *nmi)) + " |\n" + "|---" * (len(head) + len(nmi)) + "|", flush=True)
    for cells in chain(map(real, asked.files), starmap(made, MADE.items())):
        print(row_of(cells, asked), flush=True)


if __name__ == "__main__":
    main()

"""What a run over very many cells takes: formulas, checked against times measured here, and carried on.

    python -m benchmarks.scaling [--cells 10000,20000,40000]

Of one embedding in 512 dimensions, all cells scored; CPU-seconds, with OMP_NUM_THREADS=1 those of one core. A formula
has one constant, taken from the smallest number of cells; the larger ones say how good it is.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zsgate.metrics.cells import Cells
from zsgate.metrics.clustering.louvain import louvain
from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
from zsgate.metrics.embedding.distance_pass import distance_pass
from zsgate.metrics.neighbours.knn import Neighbours
from zsgate.system.store import Store
from zsgate.verdict.recipe import DEFAULT

D, N_NEAREST, N_SPLITS, CLUSTERINGS = 512, 14, 20, 5
PARTITIONS = len(DEFAULT.resolutions) * (CLUSTERINGS + N_SPLITS)  # a split's two halves have the cells of one whole
AHEAD = (10**6, 10**7, 10**8)
BYTES = 4 * D  # of a cell's row
GPU = 2 * 483_152**2 * D / 7.9  # FLOP a second of the pass on an H200 (RESULTS.md, "GPU")


@dataclass(frozen=True, slots=True)
class Step:
    """A step, how it is measured, and how it grows."""

    name: str
    seconds: Callable[[np.ndarray, Cells], float]
    grows: Callable[[float], float]
    times: int = 1


def main() -> None:
    """Measure, print how well the formulas hold, and what follows for 1, 10 and 100 million cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="10000,20000,40000")
    sizes = [int(each) for each in parser.parse_args().cells.split(",")]
    steps = (
        Step("pass: distances, silhouettes, neighbours", _pass, lambda n: 2 * n * n * D),
        Step("search for neighbours of other donors", _search, lambda n: 2 * n * n * D),
        Step("one partition", _partition, lambda n: n * math.log2(n), PARTITIONS),
        Step("an embedding written, read and checked", _stored, lambda n: n * BYTES),
    )
    cells = {n: _made(n) for n in sizes}
    _compile(*_made(1_000))
    print("| step | " + " | ".join(f"{n:,} cells" for n in sizes) + " | 1 M, hours | 10 M | 100 M |")
    print("|---|" + "---|" * (len(sizes) + 3))
    for step in steps:
        found = [min(step.seconds(*cells[n]) for _ in range(2)) for n in sizes]
        rate = found[0] / step.grows(sizes[0])
        shown = [
            f"{took:.2f} s" if n == sizes[0] else f"{took:.2f} s (formula {rate * step.grows(n):.2f})"
            for n, took in zip(sizes, found, strict=True)
        ]
        last = found[-1] / step.grows(sizes[-1])
        ahead = [f"{step.times * last * step.grows(n) / 3600:,.2f}" for n in AHEAD]
        name = step.name + (f" (of {step.times})" if step.times > 1 else "")
        print(f"| {name} | " + " | ".join(shown + ahead) + " |")
    ahead = [f"{2 * n * n * D / GPU / 3600:,.2f}" for n in AHEAD]
    print("| the pass on one H200 | " + " | ".join([""] * len(sizes) + ahead) + " |")


def _made(n: int) -> tuple[np.ndarray, Cells]:
    """Return rows of 20 types and 20 donors, (n, 512), and their labels."""
    rng = np.random.default_rng(0)
    types, donors = rng.integers(20, size=n), rng.integers(20, size=n)
    centres, shifts = 0.15 * rng.normal(size=(20, D)), 0.1 * rng.normal(size=(20, D))  # clusters take some finding
    rows = (centres[types] + shifts[donors] + rng.normal(size=(n, D))).astype(np.float32)
    return rows, Cells.of(types.astype(str), (donors % 4).astype(str), donors.astype(str))


def _timed(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _pass(rows: np.ndarray, cells: Cells) -> float:
    return _timed(lambda: distance_pass(rows, cells, N_NEAREST))


def _search(rows: np.ndarray, cells: Cells) -> float:
    return _timed(lambda: Neighbours(rows, 30, cells.units).everybody)


def _partition(rows: np.ndarray, cells: Cells) -> float:
    graph = NeighbourGraph.of(rows, distance_pass(rows, cells, N_NEAREST).neighbours)
    return _timed(lambda: [louvain(graph.graph, resolution, 0) for resolution in (0.5, 1.0, 2.0)]) / 3


def _stored(rows: np.ndarray, _: Cells) -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        return _timed(lambda: store.arrays("embedding", {}, lambda: ([rows], {})))


def _compile(rows: np.ndarray, cells: Cells) -> None:
    for step in (_pass, _search, _partition):
        step(rows, cells)


if __name__ == "__main__":
    main()

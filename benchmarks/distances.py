"""Time the distance pass, its errors and its memory; seconds are CPU-seconds.

    OMP_NUM_THREADS=1 python -m benchmarks.distances [PART ...]

Parts are ``speed``, ``errors`` and ``memory``. Cells are normal around the centres of 20 types, from 20 donors in 4
batches. A pass gives asw and batch_score with everybody, without each donor and with all donors alike, and the exact 14
nearest other cells. Its floor is n² d at the measured rate of float32 matrix products, plus n²/2 roots. Passes in
float64 are those of ``zsgate.metrics.neighbours.float64``; scikit-learn's ``silhouette_score`` gives one number.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_samples, silhouette_score
from threadpoolctl import threadpool_limits

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding import distance_pass
from zsgate.metrics.neighbours import float32, float64, kernel
from zsgate.metrics.neighbours.distances import distance_blocks

SIZES = ((8000, 50), (16_000, 50), (20_000, 50), (50_000, 50), (8000, 512), (20_000, 512), (7500, 2000))
K, TYPES, DONORS, BATCHES = 14, 20, 20, 4


def made(n_cells: int, n_dimensions: int) -> tuple[np.ndarray, Cells]:
    """Return an embedding and its cells."""
    generator = np.random.default_rng(0)
    types, donors = generator.integers(0, TYPES, n_cells), generator.integers(0, DONORS, n_cells)
    rows = generator.standard_normal((n_cells, n_dimensions), dtype=np.float32)
    rows += 1.5 * generator.standard_normal((TYPES, n_dimensions), dtype=np.float32)[types]
    return rows, Cells.of(types.astype(str), (donors % BATCHES).astype(str), donors.astype(str))


def taken(work: Callable[[], object], times: int = 1) -> tuple[float, float]:
    """Return the least CPU-seconds and seconds of doing something."""
    found = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in found), min(wall for _, wall in found)


def floor(n_cells: int, n_dimensions: int) -> float:
    """Return the CPU-seconds of the products and roots of all pairs, on one thread."""
    generator = np.random.default_rng(0)
    left, right = (generator.random((n, n_dimensions), dtype=np.float32) for n in (kernel.HEIGHT, kernel.WIDTH))
    out, area = np.empty((len(left), len(right)), dtype=np.float32), kernel.HEIGHT * kernel.WIDTH
    times = max(1, int(4e8 / (area * n_dimensions)))

    def products() -> None:
        for _ in range(times):
            np.matmul(left, right.T, out=out)

    def roots() -> None:
        for _ in range(times):
            np.sqrt(out, out=out)

    with threadpool_limits(1):
        return sum(taken(work, 5)[0] for work in (products, roots)) / times * n_cells**2 / 2 / area


def in_float64(rows: np.ndarray, cells: Cells) -> None:
    """Do a pass in float64."""
    distance_pass.distance_blocks = float64.blocks
    distance_pass.distance_pass(rows, cells, K)
    distance_pass.distance_blocks = distance_blocks


def speed() -> None:
    warm = made(3000, 50)
    print("| cells x dimensions | pass | floor | pass / floor | in float64 | scikit-learn | wall on 1 / 2 threads |")
    for size in SIZES:
        rows, cells = made(*size)
        distance_pass.distance_pass(*warm, K)
        least, ((ours, wall), (old, _), (theirs, _), (_, both)) = (
            floor(*size),
            (
                taken(lambda: distance_pass.distance_pass(rows, cells, K), 3),  # noqa: B023
                taken(lambda: in_float64(rows, cells)),  # noqa: B023
                taken(lambda: silhouette_score(rows, cells.labels)) if size[0] <= 20_000 else (np.nan, 0),  # noqa: B023
                on_two_threads(rows, cells),
            ),
        )
        columns = f"{ours:.2f} | {least:.2f} | {ours / least:.1f} | {old:.2f} | {theirs:.1f} | {wall:.2f} / {both:.2f}"
        print(f"| {size[0]:,} x {size[1]:,} | {columns} |", flush=True)


def on_two_threads(rows: np.ndarray, cells: Cells) -> tuple[float, float]:
    """Return what :func:`taken` does, of a pass on two threads."""
    with threadpool_limits(2):
        return taken(lambda: distance_pass.distance_pass(rows, cells, K), 2)


def nasty(case: str) -> tuple[np.ndarray, np.ndarray]:
    """Return 3,000 cells in 50 dimensions made to break float32, and their types."""
    generator = np.random.default_rng(1)
    types = np.sort(generator.integers(0, 10, 3000))
    noise, centres = generator.normal(size=(3000, 50)), generator.normal(size=(10, 50))[types]
    rows = {"clusters 1e-5 wide": centres + 1e-5 * noise}.get(case, centres + noise)
    if case == "1e5 from the origin":
        rows += 1e5
    if case == "half of them copies":
        rows[1::2] = rows[::2]
    if case == "ten outliers of 1e4":
        rows[::300] *= 1e4
    return rows.astype(np.float32), types


def errors() -> None:
    print("| 3,000 x 50 | a cell, at most | the mean | in float64: a cell | the mean |")
    for case in ("plain", "1e5 from the origin", "clusters 1e-5 wide", "half of them copies", "ten outliers of 1e4"):
        rows, types = nasty(case)
        distances = cdist(rows.astype(np.float64), rows.astype(np.float64))
        truth = silhouette_samples(distances, types, metric="precomputed")
        starts, sizes = np.flatnonzero(np.diff(types, prepend=-1)), np.bincount(types)
        found = []
        for blocks in (float32.blocks, float64.blocks):
            sums = np.concatenate([block.sums for block in blocks(rows, starts, starts, n_nearest=K)])
            own = np.arange(len(rows)), types
            within, means = sums[own] / (sizes[types] - 1), sums / sizes
            means[own] = np.inf
            off = (means.min(axis=1) - within) / np.maximum(means.min(axis=1), within) - truth
            found += [f"{abs(off).max():.1e}", f"{abs(off.mean()):.0e}"]
        print(f"| {case} | {' | '.join(found)} |", flush=True)


def memory() -> None:
    distance_pass.distance_pass(*made(3000, 50), K)
    rows, cells = made(50_000, 512)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    distance_pass.distance_pass(rows, cells, K)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 - before / 2**20
    print(f"peak memory at 50,000 x 512 beyond the data: at most {more:.0f} MiB")


def main(*parts: str) -> None:
    """Do each part in a process of its own: a peak counts for all that comes after it."""
    for part in parts or ("speed", "errors", "memory"):
        code = f"from benchmarks.distances import {part}; {part}()"
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

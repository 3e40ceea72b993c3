"""Measure the host memory of a reconstruction of 100,000 cells x 1,200 genes beyond the model.

    python -m benchmarks.reconstruction_memory [N_CELLS] [N_GENES_PER_CELL]

A model that only draws numbers streams windows of 512 cells as scGPT (two heads) and Geneformer (tokens) do, with every
gene shown and with 15 % hidden; each case runs in a process of its own, whose peak resident memory (``ru_maxrss``) is
read before the pass and after it. 20,000 genes, 20 donors.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from zsgate.baselines.averages import AVERAGES
from zsgate.data.dataset import Dataset
from zsgate.metrics.reconstruction.one_pass import one_pass
from zsgate.models.reconstruction import Reconstruction

WINDOW, N_GENES, N_DONORS = 512, 20_000, 20
CASES = (("bin", 0.0), ("bin", 0.15), ("rank", 0.0), ("rank", 0.15))


class Streamer:
    """A model without weights, as fast as random numbers are."""

    def __init__(self, scale: str, length: int) -> None:
        self.scale, self.length, self.heads = scale, length, ("gep", "gepc")

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield windows of random predictions."""
        generator = np.random.default_rng(seed)
        for start in range(0, dataset.n_cells, WINDOW):
            cells = np.arange(start, min(start + WINDOW, dataset.n_cells))
            first = generator.integers(0, N_GENES, len(cells))
            step = 2 * generator.integers(1, 500, len(cells)) + 1  # odd and no multiple of 5 below: distinct genes
            step += 2 * (step % 5 == 0)
            genes = ((first[:, None] + step[:, None] * np.arange(self.length)) % N_GENES).ravel().astype(np.int32)
            yield self._window(cells, genes, generator, masked)

    def _window(
        self, cells: np.ndarray, genes: np.ndarray, generator: np.random.Generator, masked: float
    ) -> Reconstruction:
        size = len(genes)
        shape = (len(cells), self.length)
        ranks = np.broadcast_to(np.linspace(1, 0, self.length, dtype=np.float32), shape).ravel()
        hide = (np.argsort(generator.random(shape), axis=1) < np.rint(masked * self.length)).ravel()
        if self.scale == "bin":
            target = generator.integers(1, 51, size).astype(np.float32)
            heads = {head: target + generator.standard_normal(size, np.float32) for head in self.heads}
        else:
            target = ranks
            heads = {
                "token": generator.integers(0, 25_000, size, np.int32),
                "log_probability": -generator.random(size, np.float32),
                "likelier": generator.integers(0, 40, size, np.int32),
            }
        return Reconstruction(
            cells=cells, offsets=np.arange(len(cells) + 1, dtype=np.int64) * self.length, genes=genes, target=target,
            predictions=heads, scale=self.scale, masked=hide, tokens=genes if self.scale == "rank" else None,
            noise_floor=np.ones(size, np.float32) if self.scale == "bin" else None,
        )  # fmt: skip


def dataset(n_cells: int) -> Dataset:
    """Return cells with one count each: what a model reads is not at issue."""
    names = np.array([f"cell{n}" for n in range(n_cells)])
    counts = sp.csr_matrix((np.ones(n_cells, np.float32), np.arange(n_cells) % N_GENES, np.arange(n_cells + 1)))
    counts.resize(n_cells, N_GENES)
    genes = np.array([f"gene{n}" for n in range(N_GENES)])
    donors = np.array([f"donor{n % N_DONORS:02d}" for n in range(n_cells)])
    types = np.where(np.arange(n_cells) % 2, "one", "other")
    return Dataset("cells", counts, names, types, genes, donors=donors)


def peak() -> float:
    """Return this process's largest resident memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(scale: str, masked: float, n_cells: int, length: int) -> None:
    """Print what one pass takes."""
    cells = dataset(n_cells)
    for _ in Streamer(scale, length).reconstruct(cells.subset(np.arange(2 * WINDOW))):
        pass  # what the model itself needs
    before, started = peak(), time.process_time()
    one_pass(Streamer(scale, length), cells, AVERAGES, masked)
    seconds = time.process_time() - started
    print(
        f"{scale} masked {masked:.2f}: {peak() - before:.0f} MiB beyond {before:.0f} MiB, {seconds:.0f} CPU s",
        flush=True,
    )


def main() -> None:
    """Measure every case in a process of its own."""
    sizes = [int(argument) for argument in sys.argv[1:3]] or [100_000, 1_200]
    if len(sys.argv) > 3:
        measure(sys.argv[3], float(sys.argv[4]), *sizes)
        return
    for scale, masked in CASES:
        command = [sys.executable, "-m", "benchmarks.reconstruction_memory", *map(str, sizes), scale, str(masked)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

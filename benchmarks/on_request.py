"""Time the metrics that run on request, with every leave-out, in CPU-seconds.

    python -m benchmarks.on_request H5AD [TIMES] [METRIC ...]

Real cells (labels in ``cell_type``, batches in ``Dataset``, donors in ``donor_id``) in 50 principal components; TIMES
repeats them with noise of a tenth of each component's spread, to have more of them. ``plain`` is the value without
donors, hence without leave-outs.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from zsgate.baselines import pca
from zsgate.data.annotations import Columns
from zsgate.data.dataset import Dataset
from zsgate.data.read import read_h5ad
from zsgate.metrics import METRICS

COLUMNS = Columns(label="cell_type", batch="Dataset", donor="donor_id", counts="raw")


def repeated(dataset: Dataset, rows: np.ndarray, times: int) -> tuple[Dataset, np.ndarray]:
    """Return the cells several times over, and their embedding with noise."""
    generator = np.random.default_rng(0)
    noise = 0.1 * rows.std(axis=0) * generator.standard_normal((times * len(rows), rows.shape[1]))
    whole = np.tile(rows, (times, 1)) + noise
    larger = Dataset(
        name=dataset.name,
        counts=sp.vstack([dataset.counts] * times, format="csr"),
        cell_ids=np.array([f"{name} {copy}" for copy in range(times) for name in dataset.cell_ids.tolist()]),
        **{part: np.tile(getattr(dataset, part), times) for part in ("cell_types", "batches", "donors")},
        symbols=dataset.symbols,
    )
    return larger, whole.astype(np.float32)


def main(path: str, times: str = "1", *names: str) -> None:
    """Print a line for each metric."""
    dataset = read_h5ad(Path(path), "cells", COLUMNS)
    dataset, rows = repeated(dataset, pca.embed(dataset)[0][0], int(times))
    METRICS["clisi"](rows[:300], dataset.subset(np.arange(300)))  # jax compiles and loads
    n_donors = len(np.unique(dataset.donors))
    print(f"{dataset.n_cells} cells x {rows.shape[1]}, {n_donors} donors, {dataset.counts.shape[1]} genes")
    for name in names or [metric.name for metric in METRICS.values() if metric.on_request]:
        seconds, values = [], []
        for cells in (replace(dataset, donors=None), dataset):
            started = time.process_time()
            if name == "label_transfer" and cells.donors is None:
                continue
            values.append(METRICS[name](rows, cells, seeds=1).value)
            seconds.append(f"{time.process_time() - started:.1f}")
        print(f"{name}: {values[-1]:.6f}; plain / with leave-outs {' / '.join(seconds)} CPU-s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What a second worker brings: the same run with units done by one process, then by two, on one thread each.

    OMP_NUM_THREADS=1 python -m benchmarks.cluster [COPIES]

Cells are those of the quick tier, each some times with half of its counts; the candidate is a projection of them, with
three untrained twins, beside HVG and PCA, all scored by nmi with everybody and in halves.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd

from zsgate.data.catalogue.load import load as load_dataset

MODEL = """
import numpy as np

class Projection:
    fingerprint = "projection"

    def __init__(self, seed=0):
        self.seed = seed

    def embed(self, adata):
        return np.log1p(adata.X) @ np.random.default_rng(self.seed).normal(size=(adata.n_vars, 256))

    def random_init(self, seed):
        return Projection(seed + 1)
"""


def main() -> None:
    """Write the cells, run the gate with one worker and with two, and print what both took."""
    copies = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    folder = Path(tempfile.mkdtemp(prefix="zsgate-cluster-"))
    (folder / "projection.py").write_text(MODEL)
    n_cells = _write(folder / "many.h5ad", copies)
    verdicts = {}
    for n_workers in (1, 2):
        began = time.perf_counter()
        verdicts[n_workers], units, busy = _gate(folder, n_workers)
        took = time.perf_counter() - began
        print(f"{n_cells:,} cells, local:{n_workers}: {took:.0f} s, {units} kinds of units, busy {busy:.0f} s")
    print("verdicts equal:", verdicts[1] == verdicts[2])


def _write(path: Path, copies: int) -> int:
    cells, rng = load_dataset("pancreas_quick"), np.random.default_rng(0)
    rows = np.tile(np.arange(cells.n_cells), copies)
    counts = cells.counts[rows].copy()
    counts.data = rng.binomial(counts.data.astype(int), 0.5).astype(np.float32)
    counts.eliminate_zeros()
    obs = pd.DataFrame(
        {"cell_type": cells.cell_types[rows], "batch": cells.batches[rows], "donor": cells.donors[rows]},
        index=[f"{cells.cell_ids[row]}-{place}" for place, row in enumerate(rows)],
    ).astype("category")
    var = pd.DataFrame(index=pd.Index(cells.ensembl.astype(object)))
    anndata.AnnData(counts, obs=obs, var=var).write_h5ad(path)
    return len(rows)


def _gate(folder: Path, n_workers: int) -> tuple[list[dict[str, object]], int, float]:
    """Return verdicts, how many kinds of units were done, and the seconds that workers were busy."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--model=projection:Projection"]
    command += ["--datasets=many.h5ad", "--label=cell_type", "--batch=batch", "--donor=donor", "--no-maps"]
    command += [f"--cluster=local:{n_workers}", f"--cache={folder / f'cache-{n_workers}'}", "--isolation=none"]
    subprocess.run([*command, "-k", "nmi and (hvg or pca or random_init)"], cwd=folder, check=False)
    record = json.loads((folder / "zsgate-report" / "verdict.json").read_text())
    units = [each for each in record["timings"] if each["what"].startswith("units: ")]
    return record["verdicts"], len(units), sum(each["seconds"] for each in units)


if __name__ == "__main__":
    main()

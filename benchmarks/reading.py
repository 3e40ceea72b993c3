"""Time and memory of reading a file as large as Tabula Sapiens: 483,152 cells x 58,870 genes, 2,000 detected in each.

``python -m benchmarks.reading FOLDER`` writes a synthetic file of that shape, block by block, reads it, and deletes it.
Memory is what the process itself holds (RssAnon); pages of mapped files are the operating system's to take back.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from zsgate.data.annotations import Columns

COLUMNS = Columns(label="organ_tissue", batch="donor+method", donor="donor", counts="layers/raw_counts")
CELLS, GENES, DETECTED = 483_152, 58_870, 2_000
BLOCK = 2_048  # cells; one block is drawn and repeated, for what is measured is reading


def main(folder: Path, n_cells: int = CELLS) -> None:
    with TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "large.h5ad"
        write(path, n_cells)
        print(f"{n_cells:,} cells x {GENES:,} genes, {n_cells * DETECTED:,} counts, {path.stat().st_size / 1e9:.1f} GB")
        for what in ("check", "prepare", "open", "pca"):
            done = subprocess.run([sys.executable, "-m", "benchmarks.reading", what, str(path)], stdout=subprocess.PIPE)
            print(f"{what:8}", done.stdout.decode().strip(), flush=True)


def write(path: Path, n_cells: int) -> None:
    """Write the file with h5py, as anndata lays it out: CSR of int32 counts, categories in obs."""
    import anndata
    import h5py
    import pandas as pd

    names = np.array([f"cell{number:06d}-1" for number in range(n_cells)], dtype=object)
    obs = pd.DataFrame(
        {
            "organ_tissue": pd.Categorical([f"tissue {number % 24}" for number in range(n_cells)]),
            "donor": pd.Categorical([f"TSP{number % 15 + 1}" for number in range(n_cells)]),
            "method": pd.Categorical([("10X", "smartseq2")[number % 7 == 0] for number in range(n_cells)]),
        },
        index=names,
    )
    var = pd.DataFrame(
        {"ensemblid": [f"ENSG{number:011d}.3" for number in range(GENES)]},
        index=[f"G{number}" for number in range(GENES)],
    )
    anndata.AnnData(obs=obs, var=var).write_h5ad(path)
    rng = np.random.default_rng(0)
    columns = np.concatenate([np.sort(rng.choice(GENES, DETECTED, replace=False)) for _ in range(BLOCK)])
    values = rng.geometric(0.4, len(columns))
    with h5py.File(path, "r+") as file:
        layer = file["layers"].create_group("raw_counts")
        layer.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": (n_cells, GENES)})
        for name, numbers in (("data", values), ("indices", columns)):
            stored = layer.create_dataset(name, (n_cells * DETECTED,), np.int32, chunks=(1 << 20,))
            for first in range(0, n_cells, BLOCK):
                part = numbers[: (min(first + BLOCK, n_cells) - first) * DETECTED].astype(np.int32)
                stored[first * DETECTED : first * DETECTED + len(part)] = part
        layer["indptr"] = np.arange(n_cells + 1, dtype=np.int64) * DETECTED


def measured(step: Callable[[], object]) -> dict[str, float]:
    """Return seconds, processor seconds and the peak of the process's own memory in GiB."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            status = Path("/proc/self/status").read_text(encoding="ascii")
            peak[0] = max(peak[0], int(status.split("RssAnon:")[1].split()[0]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, used = time.perf_counter(), time.process_time()
    step()
    took = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - used}
    over.set()
    watcher.join()
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**took, "own_memory_GiB": peak[0] / 2**20, "with_mapped_pages_GiB": highest / 2**20}


def run(what: str, path: Path) -> None:
    """Do one step in this process and print what it took, imports aside."""
    import anndata.io  # noqa: F401

    from zsgate.baselines import pca
    from zsgate.data.check import check_file
    from zsgate.data.read import read_h5ad

    def read():
        return read_h5ad(path, "large", COLUMNS, cache=path.parent / "prepared")

    steps = {"check": lambda: check_file(path, COLUMNS), "prepare": read, "open": read}
    steps["pca"] = lambda: pca.embed(read())
    print(json.dumps({name: round(value, 2) for name, value in measured(steps[what]).items()}))


if __name__ == "__main__":
    if len(sys.argv) > 2 and not sys.argv[2].isdigit():
        run(sys.argv[1], Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:]))

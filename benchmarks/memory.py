"""Memory of a whole run, outside a model, on a dataset as large as Tabula Sapiens.

``python -m benchmarks.memory FOLDER [N_CELLS] [--only STEP ...]`` writes the synthetic file of
:mod:`benchmarks.reading` (twice 7.8 GB, with its copy), runs each step in a process of its own, and deletes it.
Memory is what that process holds itself (RssAnon); pages of mapped files are the operating
system's to take back. The distance pass grows with the square of the cells, so only its first panel is run, and
whole passes over fewer cells of random numbers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.reading import CELLS, COLUMNS, measured, write

PANEL_BYTES = 2**24  # of sums of distances, so that the first panel of the pass takes seconds
LABELS, DONORS = 24, 15


def embed(dataset, folder, who):
    """Embed by a baseline, check, keep, read again and hash, as a run does."""
    from importlib import import_module

    from zsgate.models.embedding import Embedding, check_rows
    from zsgate.system.store import Store

    def compute():
        draws, notes = import_module(f"zsgate.baselines.{who}").embed(dataset)
        return [check_rows(draw, source=who, n_cells=dataset.n_cells) for draw in draws], notes

    draws, notes = Store(folder / "store").arrays("embedding", {"who": who}, compute)
    assert Embedding(tuple(draws), who, notes).digest


def kept(folder, who):
    """Return the rows that :func:`embed` kept."""
    from zsgate.system.store import Store

    return Store(folder / "store").arrays("embedding", {"who": who}, lambda: None)[0][0]


def cells_of(dataset):
    """Return what a metric sees of the cells."""
    from zsgate.metrics.cells import Cells

    return Cells.of(dataset)


def distances(dataset, folder, who):
    """Run the first panel of the distance pass of all cells, and halve the cells once."""
    from zsgate.metrics.embedding import distance_pass
    from zsgate.metrics.neighbours import float32
    from zsgate.metrics.neighbours.distances import distance_blocks
    from zsgate.system import arrays as spill

    cells, rows = cells_of(dataset), kept(folder, who)
    started = time.process_time()

    def few(*given, **options):
        yield from islice(distance_blocks(*given, **options), 1)

    distance_pass.distance_blocks, float32.SUMS_BYTES = few, PANEL_BYTES
    distance_pass.distance_pass(rows, cells, 14)
    spill.take(rows, cells.halves("cells")[0][0])
    return {"panel_seconds": time.process_time() - started}


def graph(dataset, folder, who):
    """Cluster the graph of random neighbours once."""
    from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
    from zsgate.metrics.embedding.contingency import contingency

    cells, rows = cells_of(dataset), kept(folder, who)
    nearby = np.arange(cells.n_cells)[:, None] + np.random.default_rng(0).integers(1, 300, (cells.n_cells, 14))
    partition = NeighbourGraph.of(rows, (nearby % cells.n_cells).astype(np.int32)).partition(1.0, 0)
    contingency(partition, cells)


def controls(dataset, folder, who):
    """Make every control, and the shuffled twin of a wide embedding."""
    from zsgate.models.embedding import Embedding
    from zsgate.run.checks import controls

    pca, wide = (Embedding((kept(folder, name),), name) for name in ("pca", who))
    for name in controls.MAKERS:
        controls.make(name, dataset, pca)
    controls.with_stale_graph(dataset, pca)
    assert controls.shuffled_twin(wide, dataset).digest


def to_anndata(dataset, folder, who):
    """Make the AnnData that models of one's own are given, and read a thousand of its cells."""
    adata = dataset.to_anndata()
    assert adata[:1000].X.sum() > 0


def scvi(dataset, folder, who):
    """Train scVI on all genes for a few steps and embed all cells."""
    from zsgate.baselines.scvi import training as scvi_training
    from zsgate.data.mapped import place_of

    few = {"max_epochs": 1, "limit_train_batches": 20}
    scvi_training.schedule = lambda *_: few
    source = place_of(dataset.counts) or dataset.counts
    scvi_training.train(scvi_training.Job(source, None, dataset.batches, seed=0, schedule="paper"))


def whole_pass(n_cells):
    """Run the distance pass over so many cells in 50 dimensions."""
    from zsgate.metrics.cells import Cells
    from zsgate.metrics.embedding.distance_pass import distance_pass

    generator = np.random.default_rng(0)
    labels, batches, donors = (generator.integers(0, n, n_cells).astype(str) for n in (LABELS, 27, DONORS))
    rows = generator.standard_normal((n_cells, 50), dtype=np.float32)
    distance_pass(rows, Cells.of(labels, batches, donors), 14)


PASSES = {"pass-30000": 30_000, "pass-60000": 60_000, "pass-120000": 120_000}
STEPS: dict[str, tuple[Callable, str]] = {
    "pca": (embed, "pca"),
    "hvg": (embed, "hvg"),
    "distances-50": (distances, "pca"),
    "distances-2000": (distances, "hvg"),
    "graph-50": (graph, "pca"),
    "graph-2000": (graph, "hvg"),
    "controls": (controls, "hvg"),
    "to_anndata": (to_anndata, ""),
    "scvi": (scvi, ""),
}


def run(what: str, path: Path) -> None:
    """Open the dataset and do one step in this process; print what both took, imports aside."""
    import anndata.io  # noqa: F401

    from zsgate.data.read import read_h5ad

    more = {}

    def work():
        if what in PASSES:
            whole_pass(PASSES[what])
            return
        step, who = STEPS[what]
        dataset = read_h5ad(path, "large", COLUMNS, cache=path.parent / "prepared")
        more.update(step(dataset, path.parent, who) or {})

    print(json.dumps({name: round(value, 2) for name, value in {**measured(work), **more}.items()}))


def main(folder: Path, n_cells: int, only: list[str]) -> None:
    with TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "large.h5ad"
        if set(only) & set(STEPS):
            write(path, n_cells)
        for what in only:
            command = [sys.executable, "-m", "benchmarks.memory", "--step", what, str(path)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            print(f"{what:16}", done.stdout.decode().strip(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("n_cells", type=int, nargs="?", default=CELLS)
    parser.add_argument("--only", nargs="+", choices=[*STEPS, *PASSES], default=[*STEPS, *PASSES])
    parser.add_argument("--step", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        run(given.step, given.folder)
    else:
        main(given.folder, given.n_cells, given.only)

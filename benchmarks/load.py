"""What a thousand tests cost: 5 datasets, 40 metrics and 5 baselines in one run, of embeddings that lie in files.

    python -m benchmarks.load [FOLDER]

The first run makes everything, the second finds it in the store: what is left of it is collection, judging, the page.
Metrics of scib-metrics, which compile for minutes, are left out; those beyond zsgate's are its silhouette.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd

from zsgate.data.catalogue.load import load as load_dataset
from zsgate.metrics import METRICS

N_DATASETS, N_CELLS, N_METRICS = 5, 300, 40
N_USUAL = sum(not metric.on_request for metric in METRICS.values())
# adds metrics before a suite is collected, and writes down how long collecting and testing take
PLUGIN = """
import json, time
from dataclasses import replace
import pytest
from zsgate import metrics
from zsgate.metrics import EVERY, METRICS, asw

for number in range({more}):
    name = f"asw_{{number}}"
    METRICS[name] = EVERY[name] = replace(asw, name=name, advisory=True)
TOOK = {{}}

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session):
    began = time.perf_counter()
    yield
    TOOK["collection"] = time.perf_counter() - began

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session):
    TOOK["tests"] = len(session.items)
    began = time.perf_counter()
    found = yield
    TOOK["testing"] = time.perf_counter() - began
    return found

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    began = time.perf_counter()
    yield
    TOOK["page"] = time.perf_counter() - began
    with open("took.json", "w") as file:
        json.dump(TOOK, file)
"""


def main() -> None:
    """Write the files, run the gate twice, and print what both took."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="zsgate-load-"))
    names = write(folder)
    for turn in ("first", "second"):
        began = time.perf_counter()
        code = gate(folder, names)
        took = json.loads((folder / "took.json").read_text())
        record = json.loads((folder / "zsgate-report" / "verdict.json").read_text())
        page = (folder / "zsgate-report" / "index.html").stat().st_size
        a_test = 1000 * took["testing"] / took["tests"]
        print(
            f"{turn} run, exit {code}: {took['tests']} tests, {len(record['verdicts'])} verdicts; collection "
            f"{took['collection']:.2f} s, {a_test:.1f} ms a test, end {took['page']:.1f} s, page {page / 1e6:.2f} MB, "
            f"whole {time.perf_counter() - began:.0f} s"
        )


def write(folder: Path) -> list[str]:
    """Write datasets, embeddings of two models of them, and the plugin; return the names of the datasets."""
    cells, rng = load_dataset("pancreas_quick"), np.random.default_rng(0)
    names = [f"lab{number}" for number in range(N_DATASETS)]
    for model in ("ours", "theirs"):
        (folder / model).mkdir(parents=True, exist_ok=True)
    for name in names:
        some = cells.subset(np.sort(rng.choice(cells.n_cells, N_CELLS, replace=False)))
        obs = pd.DataFrame(
            {"cell_type": some.cell_types, "batch": some.batches, "donor": some.donors},
            index=some.cell_ids.astype(object),
        ).astype("category")
        var = pd.DataFrame(index=pd.Index(some.ensembl.astype(object)))
        anndata.AnnData(some.counts.copy(), obs=obs, var=var).write_h5ad(folder / f"{name}.h5ad")
        axes = rng.normal(size=(some.counts.shape[1], 30))
        logs = some.counts.log1p()
        for model, noise in (("ours", 1.0), ("theirs", 5.0)):
            rows = (logs @ axes + noise * rng.normal(size=(some.n_cells, 30))).astype(np.float32)
            np.savez(folder / model / f"{name}.npz", X=rows, ids=some.cell_ids.astype(str))
    (folder / "more_metrics.py").write_text(PLUGIN.format(more=N_METRICS - len(asked()) - N_USUAL))
    return names


def gate(folder: Path, names: list[str]) -> int:
    """Run the gate on all of it, and return its exit code."""
    command = [sys.executable, "-m", "pytest", "-p", "more_metrics", "-p", "no:cacheprovider", "-q", "--no-header"]
    command += [
        "--tb=no",
        "--model=./ours",
        "--against=./theirs",
        "--baselines=harmony",
        f"--metrics={','.join(asked())}",
    ]
    command += [f"--datasets={','.join(f'{name}.h5ad' for name in names)}", "--label=cell_type", "--batch=batch"]
    command += ["--donor=donor", f"--cache={folder / 'cache'}", "--no-maps"]
    select = ["-k", "(separates_cell_types or mixes_batches) and not control"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    with (folder / "out.txt").open("w") as out:
        return subprocess.run(
            [*command, *select], cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode


def asked() -> list[str]:
    """Return the metrics on request that need no package and no hour."""
    dear = ("pcr_comparison", "avg_batch")
    return [name for name, each in METRICS.items() if each.on_request and not each.package and name not in dear]


if __name__ == "__main__":
    main()

"""Models that have environments of their own, made from the package index and run through the whole gate.

Each takes minutes and gigabytes. The weights are untrained, so the gate must reach verdicts and no test of it may pass.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.models.environments.build import build
from zsgate.models.environments.environment import Environment, find_environment
from zsgate.models.worker.launch import Place, launch_command

HELPERS = Path(__file__).parent.parent / "models" / "apart"
GENES = 3_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transcriptformer", "cellplm"])
def test_untrained_weights_do_not_pass(
    project: pytest.Pytester,
    gate: Callable[..., pytest.RunResult],
    verdict: Callable[[], dict],
    few_cells: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Its rows equal those of the authors' own inference, and verdicts say that it did not pass."""
    monkeypatch.delenv("ZSGATE_ISOLATION")
    environment = find_environment(name, project.path / "cache")
    build(environment)
    weights = _write_weights(environment, project.path, few_cells)
    _compare(environment, weights, few_cells)
    result = gate(name, f"--weights={weights}", "--cells=100", "-k", "(pca or random_init) and asw")
    assert result.ret == 1, result.stdout.str()
    record = verdict()
    assert record["model"] == name
    assert {each["baseline"] for each in record["verdicts"]} >= {"pca", "random_init"}
    assert all(np.isfinite(each["ours"]) for each in record["verdicts"])


def _write_weights(environment: Environment, folder: Path, cells: Dataset) -> Path:
    """Write untrained weights by the authors' code, and the authors' rows of the cells beside them."""
    assert cells.ensembl is not None
    adata = anndata.AnnData(cells.counts)
    adata.obs_names, adata.var_names = cells.cell_ids.astype(object), cells.ensembl.astype(object)
    adata.var["ensembl_id"] = adata.var_names
    adata.write_h5ad(folder / "all.h5ad")
    known = cells.ensembl[np.argsort(-np.asarray(cells.counts.sum(axis=0)).ravel(), kind="stable")[:GENES]]
    (folder / "genes.txt").write_text("\n".join(known))
    script = HELPERS / f"tiny_{environment.name}.py"
    words = [environment.python, script, "weights", "genes.txt", "all.h5ad"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "weights"


def _compare(environment: Environment, weights: Path, cells: Dataset) -> None:
    """Compare the worker's rows with the authors' own, in float32, within 1e-5 of the largest."""
    scratch = weights.parent / "scratch"
    scratch.mkdir()
    place = Place(folder=weights.parent, scratch=scratch)
    worker = launch_command(environment.name, place, {"command": environment.command(weights)})
    try:
        rows = worker.embed(cells)
    finally:
        worker.close()
    theirs = np.load(weights.parent / "rows.npy")
    np.testing.assert_allclose(rows, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())
    assert theirs.std(axis=0).min() > 0

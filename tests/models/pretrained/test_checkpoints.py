"""Checkpoints of the published sizes and formats, with random weights, load and embed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

from benchmarks.checkpoints import MAKERS, make_geneformer, make_scfoundation, make_scgpt, make_scimilarity
from benchmarks.checkpoints_with_tables import make_genecompass
from benchmarks.inference import gpu_rows, long_cells
from zsgate.models import MODELS, load
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.testing import some_cells

CLASS_DECODER = 2 * (512 * 512 + 512 + 2 * 512) + 513  # upstream's module counts it, the published file lacks it


def test_every_checkpoint_has_a_loader() -> None:
    """All 21 names of the catalogue are models, and each leads to a function that loads it."""
    assert len(CHECKPOINTS) == 21
    for name, checkpoint in CHECKPOINTS.items():
        assert name == checkpoint.name
        assert callable(resolve_name(MODELS[name]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make", "parameters", "width"),
    [
        ("scgpt_human", make_scgpt, 51_856_898 - CLASS_DECODER, 512),
        ("geneformer_v1_10m", make_geneformer, 10_288_722, 256),
        ("scimilarity", make_scimilarity, 31_152_259, 128),
        ("scfoundation", make_scfoundation, 99_940_156, 3072),
        ("genecompass_base", make_genecompass, 131_365_632, 768),
    ],
)
def test_full_size_checkpoints_load_and_embed(name, make, parameters, width, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The script's files have the published number of parameters, load strictly, and give finite rows."""
    folder = make(tmp_path / name, None)
    model = load(name, weights=folder, cache=tmp_path)
    assert sum(tensor.numel() for tensor in model.state.values()) == parameters
    cells = some_cells(4)
    for each in (model, model.random_init(0)):
        rows = each.embed(cells)
        assert rows.shape == (4, width)
        assert np.isfinite(rows).all()


@pytest.mark.slow
def test_the_rates_of_a_gpu_are_measured_by_code_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The benchmark's rows for a GPU, here on the CPU with 3 cells: full length, rate and share of the roofline."""
    folders = {name: MAKERS[name](tmp_path / name, None) for name in ("scgpt_human", "geneformer_v1_10m")}
    gpu_rows(folders, long_cells(4, 2200), "cpu", n_cells=3)
    scgpt, geneformer = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"scgpt_human on the CPU: \S+ cells/s at 1200 tokens, \S+% of the roofline", scgpt)
    assert re.fullmatch(r"geneformer_v1_10m on the CPU: \S+ cells/s at 2048 tokens, \S+% of the roofline", geneformer)


PEAK = """
import resource, sys
from pathlib import Path
from dataclasses import replace
import numpy as np, scipy.sparse as sp
from zsgate.models import load
from zsgate.testing import some_cells

n_cells, folder = int(sys.argv[1]), Path(sys.argv[2])
model, real = load("scgpt_human", weights=folder, cache=folder), some_cells(24)
most = np.sort(np.argsort(-real.counts.getnnz(axis=0), kind="stable")[:60])
few = sp.csr_matrix(real.counts[:, most])
cells = replace(
    real,
    counts=sp.vstack([few] * (n_cells // 24), format="csr"),
    symbols=real.symbols[most],
    ensembl=None,
    cell_ids=np.array([f"c{place}" for place in range(n_cells)]),
    **{name: np.tile(getattr(real, name), n_cells // 24) for name in ("cell_types", "batches", "donors")},
)
assert model.embed(cells).shape == (n_cells, 32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_cells(scgpt_folder: Path) -> None:
    """Eight times the cells, 3,840 short ones for 480, raise the peak by little more than their counts and rows.

    The network is small, or reading its weights would be the peak.
    """
    peaks = []
    for n_cells in (480, 3840):
        command = [sys.executable, "-c", PEAK, str(n_cells), str(scgpt_folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 40, f"{peaks[0]:.0f} MiB, then {peaks[1]:.0f} MiB"

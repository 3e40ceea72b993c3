"""Arguments and data that cannot be used are refused in one sentence, before anything runs: exit 4."""

from __future__ import annotations

import json
from fnmatch import fnmatch

import anndata
import numpy as np
import pytest
from spoiled import FAULTS


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--model=celama",), "*unknown model 'celama'; did you mean 'cellama'?*"),
        (
            ("--model=cellama", "--datasets=pancreas_quik"),
            "*unknown dataset 'pancreas_quik'; did you mean 'pancreas_quick'?*",
        ),
        (("--model=no_such_package.mod:f",), "*cannot import it*no_such_package*"),
        (("--model=cellama", "--gpu"), "*--gpu: torch * sees no CUDA device*"),
        (("--model=cellama", "--tier=quik"), "*unknown tier 'quik'; did you mean 'quick'?*"),
        (("--model=cellama", "--policy=win"), "*unknown policy 'win'*"),
        (("--model=cellama", "--seeds=one"), "*--seeds: cannot read 'one' as int*"),
        (("--model=cellama", "--datasets=absent.h5ad", "--label=x"), "*absent.h5ad: no such file*"),
    ],
)
def test_arguments(project, args, words):
    """One sentence that names the nearest thing that exists."""
    result = project.runpytest_subprocess(*args)

    assert result.ret == 4
    result.stderr.fnmatch_lines([words])
    assert len([line for line in result.errlines if line.startswith("ERROR")]) == 1
    record = json.loads((project.path / "zsgate-report" / "verdict.json").read_text(encoding="utf-8"))
    assert (record["gate"], record["provenance"]["exit_code"]) == ("unusable", 4)
    assert fnmatch(record["provenance"]["exit_reason"], words)


@pytest.mark.parametrize("fault", FAULTS)
def test_data(gate, project, cells_file, fault):
    """A file that cannot be judged is refused by name, with what to do."""
    spoil, words = FAULTS[fault]
    adata = anndata.read_h5ad(cells_file)
    spoiled = spoil(adata)
    spoiled.write_h5ad(project.path / "spoiled.h5ad")
    result = gate(
        "models:good",
        columns=("--datasets=spoiled.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor"),
    )

    assert result.ret == 4, result.stdout.str()
    result.stderr.fnmatch_lines([f"*spoiled*{words}*"])


def test_a_worker_never_starts_on_bad_data(gate):
    """Under xdist the controller refuses before any worker is made."""
    result = gate("models:good", "-n", "2", "--label=cel_type", columns=("--datasets=cells.h5ad",))

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*no column 'cel_type' for --label; did you mean 'cell_type'?*"])
    result.stdout.no_fnmatch_line("*gw0*")


def test_embeddings_of_other_cells_are_refused(gate, project, cells_file):
    """Ids that are not the dataset's are named before anything runs."""
    ids = anndata.read_h5ad(cells_file).obs_names.to_numpy(dtype=str)
    np.savez(project.path / "rows.npz", X=np.random.default_rng(0).normal(size=(239, 4)), ids=ids[1:])
    result = gate("rows.npz", "-k", "hvg and asw")

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*rows.npz for dataset 'cells' lacks 1 cells: {ids[0]}*"])

"""Judge: what is refused in a sentence, what is left alone, and that pytest has no part in it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import joblib
import numpy as np
import pytest
import scipy.sparse as sp

import zsgate
from conftest import QUICK
from zsgate.errors import UsageProblem
from zsgate.report.record import GateState
from zsgate.run.notebook.comparison import Comparison


@pytest.fixture
def refused(adata: anndata.AnnData, tmp_path: Path) -> Callable[..., str]:
    """Return the sentence with which the cells are refused; nothing is computed or kept before."""

    def refused(key: str = "X_good", **settings: Any) -> str:
        given: dict[str, Any] = {"against": ["hvg"], "cache": tmp_path / "kept", **QUICK}
        with pytest.raises(UsageProblem) as problem:
            zsgate.judge(adata, key, **given | settings)
        assert "\n" not in str(problem.value)
        assert not list((tmp_path / "kept").rglob("*.npz"))
        return str(problem.value)

    return refused


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"key": "X_god"}, "no key 'X_god' in obsm; did you mean 'X_good'?"),
        ({"key": "X"}, "X is no dense matrix"),
        ({"label_key": "celltype"}, "adata: no column 'celltype'; did you mean 'cell_type'?"),
        ({"batch_key": "plate"}, "adata: no column 'plate'; it has cell_type, sample, donor"),
        ({"donor_key": "donors"}, "adata: no column 'donors'; did you mean 'donor'?"),
        ({"layer": "counts"}, "adata: no layer 'counts'; it has none"),
        ({"layer": "raw"}, "adata: no counts at 'raw'"),
        ({"against": ["hgv"]}, "against: unknown name 'hgv'; did you mean 'hvg'?"),
        ({"against": []}, "against names nothing to compare with"),
        ({"against": "X_good"}, "against: 'X_good' is the embedding that is judged"),
        ({"against": "random_init"}, "against random_init: the candidate offers no random_init(seed)"),
        ({"against": ["a.json", "b.json"]}, "against: 2 files of earlier runs; name one"),
        ({"against": "a.json"}, "no verdict.json of zsgate"),
        ({"metrics": "azw"}, "unknown metric 'azw'; did you mean 'asw'?"),
        ({"require": ["mse_gep"]}, "mse_gep cannot be computed on adata"),
        ({"policy": "best"}, "unknown policy 'best'"),
        ({"cells": 7}, "cells must be at least 100, or 0 for all, not 7"),
        ({"name": "my/cells"}, "name 'my/cells': it is part of the name of every test"),
        ({"labels": "cell_type"}, "unknown setting 'labels'"),
    ],
)
def test_what_cannot_be_meant_is_refused(refused: Callable[..., str], settings: dict[str, Any], words: str) -> None:
    """In one sentence, with what could be meant."""
    assert words in refused(**settings)


def not_a_number(adata: anndata.AnnData) -> None:
    """Give one cell a row that is none."""
    adata.obsm["X_good"][3, 2] = np.nan


def logged(adata: anndata.AnnData) -> None:
    """Leave no counts."""
    adata.X = np.log1p(adata.X)


def of_one_name(adata: anndata.AnnData) -> None:
    """Call two cells alike."""
    adata.obs_names = [adata.obs_names[1], *adata.obs_names[1:]]


def of_one_type(adata: anndata.AnnData) -> None:
    """Let all cells be of one type."""
    adata.obs["cell_type"] = "beta"


def by_cells(adata: anndata.AnnData) -> None:
    """Take each cell for a donor."""
    adata.obs["donor"] = adata.obs_names


def rival_of_nothing(adata: anndata.AnnData) -> None:
    """Let the rival be the same for every cell."""
    adata.obsm["X_noise"][:] = 1.0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (not_a_number, "X_good gave NaN or infinite values for 1 of 240 cells"),
        (logged, "adata: no raw counts found: X holds numbers that are not integers"),
        (of_one_name, "adata: 1 duplicate cell names"),
        (of_one_type, "column 'cell_type' for label_key has 1 distinct value"),
        (by_cells, "column 'donor' for donor_key has 240 values in 240 cells"),
        (rival_of_nothing, "X_noise gave the same row for all 240 cells"),
    ],
)
def test_cells_that_cannot_be_judged_are_refused(
    adata: anndata.AnnData, refused: Callable[..., str], spoil: Callable[[anndata.AnnData], None], words: str
) -> None:
    """In one sentence that speaks of the AnnData and of Python's arguments, not of files and options."""
    spoil(adata)
    said = refused(against=["hvg", "X_noise"])
    assert words in said
    assert "--" not in said
    assert ".h5ad" not in said


def test_what_is_no_anndata_is_a_type_error() -> None:
    """Two scores, say."""
    with pytest.raises(TypeError, match="judge takes an AnnData and a key of its obsm, not a ndarray"):
        zsgate.judge(np.ones((3, 2)), "X_pca", label_key="cell_type")  # type: ignore[arg-type]


def test_nothing_of_the_anndata_is_changed(adata: anndata.AnnData, kept: Path) -> None:
    """Neither its arrays nor its columns, and nothing is added."""
    adata.obs["donor"] = adata.obs["donor"].astype(object)  # writing a file would make categories of it
    before = joblib.hash(adata.__dict__)
    zsgate.judge(adata, "X_good", against="hvg", cache=kept, **QUICK)
    assert joblib.hash(adata.__dict__) == before


def test_without_donors_nothing_passes(judged: Callable[..., Comparison]) -> None:
    """Two verdicts may look alike for two donors; the labels themselves do not pass, and the note says why."""
    found = judged("X_good", donor_key=None)
    assert found.record.gate is GateState.INCONCLUSIVE
    assert not found
    assert "no column of donors is named" in " ".join(found.record.datasets[0].notes)


def test_these_donors_only_can_be_asked_for(judged: Callable[..., Comparison]) -> None:
    """Groups of cells are left out, and the verdicts say so."""
    found = judged("X_good", donor_key=None, scope="cells", against="hvg")
    assert {verdict.unit for verdict in found.verdicts} == {"cells"}
    assert found


def test_an_earlier_run_is_compared_with(judged: Callable[..., Comparison], fair: Comparison, tmp_path: Path) -> None:
    """By its verdict.json, on the same cells."""
    earlier = fair.save(tmp_path / "verdict.json")
    found = judged("X_good", against=str(earlier))
    asw = next(verdict for verdict in found.verdicts if verdict.metric == "asw")
    assert asw.baseline.startswith("X_fair@")
    assert asw.theirs == next(verdict.ours for verdict in fair.verdicts if verdict.metric == "asw")
    assert asw.paired


def test_a_key_may_be_called_like_a_baseline(adata: anndata.AnnData, kept: Path) -> None:
    """It is told from it."""
    adata.obsm["pca"] = adata.obsm["X_good"]
    found = zsgate.judge(adata, "pca", against="hvg", cache=kept, **QUICK)
    assert {(verdict.model, verdict.baseline) for verdict in found.verdicts} == {("pca@obsm", "hvg")}


def test_counts_may_be_anywhere(adata: anndata.AnnData, kept: Path, fair: Comparison) -> None:
    """In a layer, dense, by columns, or in a view: the same scores."""
    counts = adata.X.copy()
    adata.layers["umi"] = sp.csc_matrix(counts)
    adata.X = np.log1p(counts.toarray())
    view = adata[:, :]
    found = zsgate.judge(view, "X_fair", against="hvg", layer="umi", cache=kept, **QUICK)
    expected = {verdict.metric: verdict.difference for verdict in fair.verdicts if verdict.baseline == "hvg"}
    assert {verdict.metric: verdict.difference for verdict in found.verdicts} == expected


WITHOUT_PYTEST = """
import sys
sys.modules["pytest"] = sys.modules["_pytest"] = None
import anndata
import zsgate
adata = anndata.read_h5ad(sys.argv[1])
columns = {"label_key": "cell_type", "batch_key": "sample", "donor_key": "donor", "maps": False}
found = zsgate.judge(adata, "X_good", against="X_noise", cache=sys.argv[2], **columns)
found.plot(), found.plot("table"), found.to_frame(), found._repr_html_(), found.save(sys.argv[3])
print(bool(found), len(found.verdicts))
"""


def test_it_runs_without_pytest(adata: anndata.AnnData, kept: Path, tmp_path: Path) -> None:
    """From reading to the page; standard output stays the caller's."""
    adata.write_h5ad(tmp_path / "cells.h5ad")
    files = [str(tmp_path / "cells.h5ad"), str(kept), str(tmp_path / "page.html")]
    done = subprocess.run([sys.executable, "-c", WITHOUT_PYTEST, *files], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True 7\n", 0), done.stderr


def test_it_says_what_it_is_at(judged: Callable[..., Comparison], monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    """Where it takes long, on standard error, without pytest's help."""
    for name, seconds in (("EVERY", 0.05), ("FIRST", 0.0), ("LEAST", 0.0)):
        monkeypatch.setattr(f"zsgate.system.progress.{name}", seconds)
    judged("X_fair")
    assert re.search(r"zsgate( \[gw\d+\])?: X_fair: judging: test ", capfd.readouterr().err)

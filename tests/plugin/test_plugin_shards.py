"""Shards: a run split by dataset and merged is the run without shards, with GitHub's variables set or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pytest

from zsgate.cli import main
from zsgate.report.record import Record

EQUAL = ("gate", "model", "model_card", "recipe", "policy", "verdicts", "scores", "checks", "twins", "waivers")
ALSO = ("failures", "datasets", "coverage", "baselines", "metrics", "selection", "tier", "maps")
IN_ANY_ORDER = ("controls", "not_tested")  # with -k, controls that it left out come last in a run
SELECT = ("-k", "(hvg or pca) and (asw or nmi)")
Judge = Callable[..., int]


@pytest.fixture
def judge(gate, project, cells_file) -> Judge:
    """Write two datasets, of six donors each; return what runs the gate on some of them."""
    cells = anndata.read_h5ad(cells_file)
    donors = sorted(cells.obs["donor"].unique())
    for name, chosen in (("left", donors[::2]), ("right", donors[1::2])):
        cells[cells.obs["donor"].isin(chosen)].copy().write_h5ad(project.path / f"{name}.h5ad")

    def judge(model: str, *names: str, report: str) -> int:
        files = ",".join(f"{name}.h5ad" for name in names)
        columns = (f"--datasets={files}", "--label=cell_type", "--batch=sample", "--donor=donor")
        return int(gate(model, *SELECT, "--no-maps", f"--report={report}", columns=columns).ret)

    return judge


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "verdict.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("model", ["models:good", pytest.param("models:bad", marks=pytest.mark.slow)])
def test_shards_come_to_what_the_whole_run_comes_to(judge, project, monkeypatch, capsys, model):
    """Verdicts, scores, adjusted p-values, gate and exit code are equal, and so is all that is said of the model."""
    outputs = project.path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    whole = judge(model, "left", "right", report="whole")
    codes = [judge(model, name, report=f"shard-{name}") for name in ("left", "right")]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    shards = ["shard-right/verdict.json", "shard-left/verdict.json"]
    merged = main(["merge", *shards, "--datasets=left,right", "--out=merged"])

    expected, found = read(project.path / "whole"), read(project.path / "merged")
    for key in (*EQUAL, *ALSO):
        assert found[key] == expected[key], key
    for key in IN_ANY_ORDER:
        assert sorted(map(str, found[key])) == sorted(map(str, expected[key])), key
    assert merged == whole == max(codes) == found["provenance"]["exit_code"]
    assert found["provenance"]["exit_reason"] == expected["provenance"]["exit_reason"]
    said = outputs.read_text(encoding="utf-8").splitlines()
    assert said[:2] == said[-2:] == [f"gate={expected['gate']}", f"exit-code={whole}"]
    assert len(said) == 8
    said = capsys.readouterr().out
    assert ("::error" in said or "::warning" in said) == (whole != 0)
    assert f"exit {merged}: " in said
    assert "left" in (project.path / "merged" / "index.html").read_text(encoding="utf-8")
    assert Record.of_json((project.path / "merged" / "verdict.json").read_bytes()).gate == expected["gate"]

    assert main(["merge", shards[0], "--datasets=left,right", "--out=merged"]) == 3
    assert read(project.path / "merged")["gate"] == "broke"
    assert read(project.path / "merged" / "previous")["gate"] == found["gate"]

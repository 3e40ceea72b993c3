"""Which patterns of pyproject.toml can name a test, and which are typing errors."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zsgate.config.config import Config
from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.run.before.validate import check_patterns
from zsgate.run.ledger import Ledger
from zsgate.run.methods import Candidate
from zsgate.run.run import Run
from zsgate.system.store import Store
from zsgate.verdict.threshold import Threshold
from zsgate.verdict.waiver import Waiver

FAR = date(9999, 12, 31)


def run_of(config: Config, folder: Path) -> Run:
    return Run(config, folder, Ledger(Store(folder / "store"), Store(folder / "run")))


def run_with(pattern: str, folder: Path, *, what: str = "threshold") -> Run:
    """Return a run on ``lab`` with a threshold or a waiver of that pattern."""
    given: dict[str, Any] = {
        "threshold": (Threshold(match=pattern, margin=0.1),),
        "waiver": (Waiver(match=pattern, reason="r", owner="o", expires=FAR, max_deficit=0.1),),
    }
    return run_of(Config(model="m", datasets=("lab.h5ad", "pancreas"), **{what: given[what]}), folder)


@pytest.mark.parametrize(
    "pattern",
    [
        *("lab-hvg-asw", "lab", "lab-hvg", "*", "*-asw", "*-hvg-*", "pancreas*-scvi", "lab-geneformer_v1_10m"),
        *("other-hvg-asw", "other", "other-hvg", "my-own-cells-scvi-nmi", "run_?-hvg", "other*-*-avg_bio"),
        *("lab-pkg.model:Net-asw", "lab-my_model@2026-11-22-asw", "*-mse_gep_m15"),
    ],
)
@pytest.mark.parametrize("what", ["threshold", "waiver"])
def test_what_some_run_may_have_is_accepted(pattern, what, tmp_path):
    """Tests of known datasets, and of any name that a file may have."""
    check_patterns(run_with(pattern, tmp_path, what=what))


@pytest.mark.parametrize(
    "pattern",
    [
        *("lab-hvgs-asw", "lab-hvgs", "lab-hvg-aws", "*-hvgs", "*-aws", "hvg-asw", "asw", "hvg", "-hvg-asw"),
        *("pancraes-hvg-asw", "pancreass", "Pancreas-hvg", "tabula_sapien-*-asw", "other-hvgs-asw", "other-hvg-aws"),
    ],
)
@pytest.mark.parametrize("what", ["threshold", "waiver"])
def test_what_no_run_can_have_is_not(pattern, what, tmp_path):
    """An unknown baseline or metric, a dataset left out, or one nearly called as one that is known."""
    with pytest.raises(UsageProblem) as refused:
        check_patterns(run_with(pattern, tmp_path, what=what))
    assert str(refused.value).startswith(f"{what}: {pattern!r} matches no test (dataset-baseline-metric)")


TABLES = """
[tool.zsgate]
judge_on = ["lab.h5ad", "mine"]
[tool.zsgate.datasets.mine]
path = "data/cells.zarr"
[tool.zsgate.models."{model}"]
pretraining = [{names}]
"""


@pytest.fixture
def run(tmp_path):
    """Return what makes a run of a model by what pyproject.toml says of pretraining."""

    def run(names, model="my.gate:Model", **given):
        (tmp_path / "pyproject.toml").write_text(TABLES.format(model=model, names=names), encoding="utf-8")
        return run_of(Config.gather({"model": "my.gate:Model", **given}, {}, tmp_path), tmp_path)

    return run


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ("'lab'", {"lab"}),
        ("'lab.h5ad'", {"lab"}),
        ("'elsewhere/lab.h5ad', 'data/cells.zarr/'", {"lab", "mine"}),
        ("'a corpus of ours', 'pancreas'", set()),
    ],
)
def test_pretraining_names_datasets_as_a_run_does(run, names, seen):
    """By name, or by the file of a dataset; other names are of data that are not judged on."""
    made = run(names)
    check_patterns(made)
    made.candidate = Candidate("my.gate:Model", made, model=SimpleNamespace(info=ModelInfo(name="m")))
    assert {name for name in ("lab", "mine") if made.exposure(name).status == "seen"} == seen


@pytest.mark.parametrize("name", ["laab", "Lab", "lab.h5da", "labs.h5ad", "pancraes"])
def test_a_dataset_misspelt_in_pretraining_is_refused(run, name):
    """It would read as "not seen"."""
    with pytest.raises(UsageProblem, match=rf"pretraining of my\.gate:Model: unknown dataset '.*{name}'; did you mean"):
        check_patterns(run(f"'{name}'"))


def test_a_model_misspelt_in_a_table_is_refused_where_leakage_fails(run):
    """What is said of it would be said of nobody; where leakage is reported only, the report has "unknown"."""
    with pytest.raises(UsageProblem, match=r"is for 'my\.gate:Modle', none for 'my\.gate:Model'"):
        check_patterns(run("'lab'", model="my.gate:Modle", leakage="fail"))
    check_patterns(run("'lab'", model="my.gate:Modle"))
    check_patterns(run("'lab'", model="their.net:Other", leakage="fail"))

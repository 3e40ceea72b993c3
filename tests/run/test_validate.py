"""Which patterns of pyproject.toml can name a test, and which are typing errors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zsgate.baselines import BASELINES
from zsgate.config.config import Config
from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.run.run import Trial
from zsgate.run.validate import _possible, check_patterns
from zsgate.system.store import Store

DATASETS, RIVALS = ("lab", "pancreas", "pancreas_quick", "tabula_sapiens"), ("geneformer_v1_10m",)


@pytest.mark.parametrize(
    "pattern",
    [
        *("lab-hvg-asw", "lab", "lab-hvg", "*", "*-asw", "*-hvg-*", "pancreas*-scvi", "lab-geneformer_v1_10m"),
        *("other-hvg-asw", "other", "other-hvg", "my-own-cells-scvi-nmi", "run_?-hvg", "other*-*-avg_bio"),
        *("lab-pkg.model:Net-asw", "lab-my_model@2026-11-22-asw", "*-mse_gep_m15"),
    ],
)
def test_what_some_run_may_have_is_accepted(pattern):
    """Tests of known datasets, and of any name that a file may have."""
    assert _possible(pattern, DATASETS, (*BASELINES, *RIVALS))


@pytest.mark.parametrize(
    "pattern",
    [
        *("lab-hvgs-asw", "lab-hvgs", "lab-hvg-aws", "*-hvgs", "*-aws", "hvg-asw", "asw", "hvg", "-hvg-asw"),
        *("pancraes-hvg-asw", "pancreass", "Pancreas-hvg", "tabula_sapien-*-asw", "other-hvgs-asw", "other-hvg-aws"),
    ],
)
def test_what_no_run_can_have_is_not(pattern):
    """An unknown baseline or metric, a dataset left out, or one nearly called as one that is known."""
    assert not _possible(pattern, DATASETS, (*BASELINES, *RIVALS))


TABLES = """
[tool.zsgate]
judge_on = ["lab.h5ad", "mine"]
[tool.zsgate.datasets.mine]
path = "data/cells.zarr"
[tool.zsgate.models."{model}"]
pretraining = [{names}]
"""


@pytest.fixture
def trial(tmp_path):
    """Return what makes a trial of a model by what pyproject.toml says of pretraining."""

    def trial(names, model="my.gate:Model", **given):
        (tmp_path / "pyproject.toml").write_text(TABLES.format(model=model, names=names), encoding="utf-8")
        config = Config.gather({"model": "my.gate:Model", **given}, {}, tmp_path)
        return Trial(config, tmp_path, Store(tmp_path / "store"), Store(tmp_path / "run"))

    return trial


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ("'lab'", {"lab"}),
        ("'lab.h5ad'", {"lab"}),
        ("'elsewhere/lab.h5ad', 'data/cells.zarr/'", {"lab", "mine"}),
        ("'a corpus of ours', 'pancreas'", set()),
    ],
)
def test_pretraining_names_datasets_as_a_run_does(trial, names, seen):
    """By name, or by the file of a dataset; other names are of data that are not judged on."""
    made = trial(names)
    check_patterns(made)
    made.__dict__["adapter"] = SimpleNamespace(info=ModelInfo(name="m"))
    assert {name for name in ("lab", "mine") if made.exposure(name).status == "seen"} == seen


@pytest.mark.parametrize("name", ["laab", "Lab", "lab.h5da", "labs.h5ad", "pancraes"])
def test_a_dataset_misspelt_in_pretraining_is_refused(trial, name):
    """It would read as "not seen"."""
    with pytest.raises(UsageProblem, match=rf"pretraining of my\.gate:Model: unknown dataset '.*{name}'; did you mean"):
        check_patterns(trial(f"'{name}'"))


def test_a_model_misspelt_in_a_table_is_refused_where_leakage_fails(trial):
    """What is said of it would be said of nobody; where leakage is reported only, the report has "unknown"."""
    with pytest.raises(UsageProblem, match=r"is for 'my\.gate:Modle', none for 'my\.gate:Model'"):
        check_patterns(trial("'lab'", model="my.gate:Modle", leakage="fail"))
    check_patterns(trial("'lab'", model="my.gate:Modle"))
    check_patterns(trial("'lab'", model="their.net:Other", leakage="fail"))

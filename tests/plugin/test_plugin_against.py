"""--against: another model, or the last release, in the place of a baseline."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import anndata
import jsonschema
import numpy as np
import pytest

from zsgate.config.config import Config
from zsgate.run.ledger import Ledger
from zsgate.run.methods import Candidate
from zsgate.run.reference import load_reference
from zsgate.system.store import Store

LEDGER = Ledger(Store(Path("none")), Store(Path("none")))  # no model is loaded that keeps anything


def candidate(name: str) -> Candidate:
    """Return a candidate of which only the name matters."""
    return Candidate(name, None, model=None)


ONLY = ("-k", "test_against and (asw or nmi)")


def test_another_model_is_judged_by_the_same_machinery(gate, verdict):
    """Labels beat noise under the rival's name, paired by donors; its tests can be selected by it."""
    result = gate("models:good", "--against=models:bad", *ONLY)

    assert result.ret == 0, result.stdout.str()
    judged = verdict()["verdicts"]
    assert {(each["baseline"], each["metric"], each["outcome"]) for each in judged} == {
        ("models:bad", "asw", "beats"),
        ("models:bad", "nmi", "beats"),
    }
    assert {each["n_units"] for each in judged} == {12}
    assert "models:bad" in [each["name"] for each in verdict()["baselines"]]


def test_the_last_release_is_paired_by_what_it_recorded(gate, project, verdict):
    """The scores of a verdict.json give the very verdict that its model gives when it runs beside."""
    gate("models:good", "--against=models:bad", *ONLY)
    beside = {each["metric"]: each for each in verdict()["verdicts"]}
    gate("models:bad", "-k", "hvg and (asw or nmi)")
    (project.path / "zsgate-report" / "verdict.json").rename(project.path / "old.json")
    result = gate("models:good", "--against=old.json", *ONLY)

    assert result.ret == 0, result.stdout.str()
    for each in verdict()["verdicts"]:
        assert each["baseline"].startswith("models:bad@20")
        for key in ("ours", "theirs", "difference", "ci", "p"):
            assert each[key] == beside[each["metric"]][key], key


@pytest.mark.slow
def test_other_cells_of_the_same_dataset_are_compared_unpaired(gate, project, verdict):
    """After a new draw of cells the variances add, and verdict.json, page and sentence say that this is weaker."""
    gate("models:bad", "-k", "hvg and (asw or nmi)")
    old = verdict()
    (project.path / "zsgate-report" / "verdict.json").rename(project.path / "old.json")
    adata = anndata.read_h5ad(project.path / "cells.h5ad")
    (project.path / "cells.h5ad").unlink()
    adata[np.arange(len(adata)) % 4 > 0].copy().write_h5ad(project.path / "cells.h5ad")
    result = gate("models:good", "--against=old.json", *ONLY)

    assert result.ret == 0, result.stdout.str()
    theirs = {each["metric"]: each for each in old["scores"]}
    for each in verdict()["verdicts"]:
        assert (each["paired"], each["passed"], each["outcome"]) == (False, True, "beats")
        assert each["theirs"] == theirs[each["metric"]]["value"]
        parts = each["variance"]
        assert parts["sample"] == pytest.approx(max(parts["halves"], parts["jackknife"] * 6 / each["n_effective"]))
        assert each["se"] ** 2 == pytest.approx(parts["sample"] + parts["seeds"] + parts["theirs"])
        assert "unpaired" in each["sentence"]
    schema = json.loads((files("zsgate.report") / "verdict.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(verdict(), schema)
    page = (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    assert "(240 cells then, 180 now): these verdicts are unpaired" in page
    assert "unpaired, for that score is of other cells" in page


GENES = ("-k", "mse_gep and not gene_mean")


@pytest.mark.slow
def test_predicted_genes_are_compared_too(gate, project, verdict):
    """Hidden and shown, with another model and with what it recorded alone: the same verdicts, by donors."""
    result = gate("models:Knower", "--against=models:Blind", "test_against.py", *GENES)
    assert result.ret == 0, result.stdout.str()
    beside = {each["metric"]: each for each in verdict()["verdicts"]}
    assert set(beside) == {"mse_gep", "mse_gep_m15", "mse_gep_m40"}
    assert {(each["outcome"], each["passed"], each["n_units"]) for each in beside.values()} == {("beats", True, 12)}
    assert all(each["balanced"] > 0 for each in beside.values())

    gate("models:Blind", "test_reconstruction.py", *GENES)
    (project.path / "zsgate-report" / "verdict.json").rename(project.path / "old.json")
    result = gate("models:Knower", "--against=old.json", "test_against.py", *GENES)
    assert result.ret == 0, result.stdout.str()
    for each in verdict()["verdicts"]:
        assert each["baseline"].startswith("models:Blind@20")
        for key in ("ours", "theirs", "difference", "ci", "balanced"):
            assert each[key] == beside[each["metric"]][key], key


def test_other_targets_are_not_compared(gate, verdict):
    """A model that has easier values to predict wins nothing by it, and the reason says so."""
    result = gate("models:Coarse", "--against=models:Knower", "test_against.py", "-k", "mse_gep_m15")

    assert result.ret == 1
    (judged,) = verdict()["verdicts"]
    assert not judged["passed"]
    assert "models:Knower had other targets: mean scores" in judged["reason"]


@pytest.mark.slow
def test_a_rival_called_like_a_baseline_takes_nobody_s_place(gate, project, verdict, few_cells):
    """A folder ``hvg`` of noise is a rival of another name, and HVG stays HVG; a candidate called so is refused."""
    ids = few_cells.cell_ids
    for folder in ("hvg", "old/hvg"):
        (project.path / folder).mkdir(parents=True)
        np.savez(project.path / folder / "cells.npz", X=np.random.default_rng(0).normal(size=(len(ids), 4)), ids=ids)
    result = gate("models:good", "--against=hvg", "-k", "hvg and asw")

    assert result.ret == 0, result.stdout.str()
    theirs = {each["baseline"]: each["theirs"] for each in verdict()["verdicts"]}
    assert set(theirs) == {"hvg", "hvg@against"}
    gate("models:good", "-k", "hvg and asw")
    (alone,) = verdict()["verdicts"]
    assert theirs["hvg"] == alone["theirs"] != theirs["hvg@against"]
    for model, against, words in (
        ("hvg", "models:good", "a baseline is called so; embeddings in a folder of that name are ./hvg"),
        ("./hvg", "hvg/", "is the candidate itself"),
    ):
        result = gate(model, f"--against={against}", "-k", "hvg and asw")
        assert result.ret == 4, model
        assert words in result.stderr.str()
    assert (
        load_reference(candidate("./hvg"), Config(model="./hvg", against="old/hvg"), project.path, LEDGER).name
        == "hvg@against"
    )


@pytest.mark.parametrize("state", ["broke", "interrupted"])
def test_an_earlier_run_that_did_not_end_well_is_said(state, project, gate, verdict):
    """Its scores are compared with, and the page says what became of its gate."""
    gate("models:bad", "-k", "hvg and asw")
    record = verdict() | {"gate": state}
    (project.path / "old.json").write_text(json.dumps(record), encoding="utf-8")
    reference = load_reference(
        candidate("models:good"), Config(model="models:good", against="old.json"), project.path, LEDGER
    )
    assert reference.past.scores
    became = {"broke": "broke", "interrupted": "was interrupted"}[state]
    assert reference.past.remark.startswith(f"The run that recorded the scores of models:bad {became} (")


@pytest.mark.slow
def test_what_an_earlier_run_did_not_score_is_said(gate, project, verdict):
    """A metric without a recorded score is listed, a broken gate is told; a dataset without any score is exit 4."""
    gate("models:bad", "-k", "hvg and asw")
    record = verdict() | {"gate": "broke"}
    (project.path / "old.json").write_text(json.dumps(record), encoding="utf-8")
    result = gate("models:good", "--against=old.json", *ONLY)

    assert result.ret == 0, result.stdout.str()
    (judged,) = verdict()["verdicts"]
    missing = {each["metric"]: each for each in verdict()["not_tested"] if each.get("baseline") == judged["baseline"]}
    assert set(missing) == {"nmi", "ari", "avg_bio", "batch_score", "knn_mixing", "knn_purity"}
    assert missing["nmi"]["reason"] == f"{judged['baseline']} has no recorded score by nmi"
    assert missing["knn_mixing"]["reason"].endswith("by knn_mixing and knn_purity")  # its floor
    assert "The run that recorded the scores of models:bad broke (" in " ".join(verdict()["caveats"])
    (project.path / "other.h5ad").symlink_to(project.path / "cells.h5ad")
    result = gate("models:good", "--against=old.json", "--datasets=cells.h5ad,other.h5ad", *ONLY)
    assert result.ret == 4
    assert "has no recorded score on other, only on cells" in result.stderr.str()


@pytest.mark.slow
def test_what_is_not_comparable_is_refused(gate, project, verdict):
    """Another recipe, another population, no scores, no record, the candidate itself: exit 4, with the reason."""
    gate("models:bad", "-k", "hvg and asw")
    record = verdict()
    others = [{**each, "cells": "0"} for each in record["scores"]]
    types, source = (
        [{**each, key: value} for each in record["datasets"]]
        for key, value in {"n_cell_types": 7, "source": "other"}.items()
    )
    changed = {
        "recipe": {**record, "recipe": {**record["recipe"], "hash": "0"}},
        "types": {**record, "scores": others, "datasets": types},
        "source": {**record, "scores": others, "datasets": source},
        "none": {**record, "scores": []},
        "other": {"name": "no verdict"},
    }
    for name, content in changed.items():
        (project.path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for against, words in (
        ("recipe.json", "they are not comparable"),
        ("types.json", "of another number of cell types (7, here 9), so nothing can be compared"),
        ("source.json", "of another source (other, here cells.h5ad)"),
        ("none.json", "it holds no scores"),
        ("other.json", "no verdict.json of zsgate"),
        ("absent.json", "no verdict.json of zsgate"),
        ("models:bad", "is the candidate itself"),
    ):
        result = gate("models:bad", f"--against={against}", "-k", "hvg and asw")
        assert result.ret == 4, against
        assert words in " ".join(result.stderr.str().split()), against

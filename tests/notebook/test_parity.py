"""Parity: what Python says of an embedding is what a run of pytest says of it, number for number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import msgspec
import numpy as np
import pytest

from conftest import COLUMNS, of_cells
from zsgate.data.dataset import Dataset
from zsgate.metrics import METRICS
from zsgate.report.record import Record
from zsgate.run.notebook.comparison import Comparison
from zsgate.run.notebook.trials import AGAINST, SUITES

NAMED = ("nodeid", "model", "sentence", "baseline")  # by what the candidate and the rival are called
CALLED = {"cells": "X_noise"}  # the rival, by its file


@pytest.fixture(scope="module")
def gate(few_cells: Dataset, kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Run pytest on the same cells in a file, with a store of its own."""
    folder = tmp_path_factory.mktemp("gate")
    of_cells(few_cells).write_h5ad(folder / "cells.h5ad")
    options = ["--model=cells.h5ad#X_fair", "--against=cells.h5ad#X_noise", "--datasets=cells.h5ad", "--cache=kept"]
    options += [
        "--label=cell_type",
        "--batch=sample",
        "--donor=donor",
        "-k",
        "not scvi",
        "--no-maps",
        "-p",
        "no:hypothesispytest",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return Record.of_json((folder / "zsgate-report" / "verdict.json").read_bytes())


def numbers(record: Record) -> dict[tuple[str, str], dict[str, object]]:
    """Return every field of every verdict but its names, by baseline and metric."""
    found = {}
    for verdict in record.verdicts:
        fields = msgspec.to_builtins(verdict)
        key = CALLED.get(verdict.baseline, verdict.baseline), verdict.metric
        fields["reason"] = verdict.reason.replace(record.model, "X_fair")
        found[key] = {name: value for name, value in fields.items() if name not in NAMED}
    return found


def test_verdicts_are_those_of_the_gate(fair: Comparison, gate: Record) -> None:
    """Every number, to the last bit, and what passes by it."""
    assert numbers(fair.record) == numbers(gate)
    assert len(fair.verdicts) == 21
    assert {verdict.passed for verdict in fair.verdicts} == {True, False}
    assert fair.record.gate == gate.gate


def test_scores_are_those_of_the_gate(fair: Comparison, gate: Record) -> None:
    """With every leave-out and half, on the same cells by the same recipe."""
    assert {score.metric: score for score in fair.record.scores} == {score.metric: score for score in gate.scores}
    assert fair.record.recipe == gate.recipe


def test_controls_are_those_of_the_gate(fair: Comparison, gate: Record) -> None:
    """The same ones, under the same ids, did the same."""
    expected = {each.nodeid: each for each in gate.controls if each.baseline != "scvi"}
    assert {each.nodeid: each for each in fair.record.controls} == expected
    assert len(expected) > 40


def test_what_is_due_is_what_is_due_of_the_gate(fair: Comparison, gate: Record) -> None:
    """Tests against scVI make sense and were not asked."""
    assert fair.record.selection.n_due == gate.selection.n_due
    assert fair.record.selection.n_selected == gate.selection.n_selected
    assert fair.record.selection.left_out_by == ("against=['hvg', 'pca', 'X_noise']",)


@pytest.mark.parametrize("suite", [AGAINST, *SUITES.values()], ids=lambda suite: suite[0])
def test_a_claim_is_the_suite_s(suite: tuple[str, str]) -> None:
    """In its words."""
    module, claim = suite
    assert str(import_module(f"zsgate.suites.{module}").__doc__).partition("\n")[0] == claim


@pytest.mark.parametrize("metric", ["asw", "nmi", "ari", "avg_bio", "knn_mixing", "knn_purity", "batch_score"])
def test_a_metric_of_an_anndata_is_the_gate_s(
    fair: Comparison, few_cells: Dataset, metric: str, judged: Callable[..., Comparison]
) -> None:
    """Value, leave-outs and halves of the run."""
    score = METRICS[metric](of_cells(few_cells), "X_fair", **COLUMNS)
    recorded = next(each for each in fair.record.scores if each.metric == metric)
    assert (score.value, score.leave_outs, score.units) == (recorded.value, recorded.leave_outs, recorded.units)
    assert score.unit_halves == recorded.unit_halves
    assert (score.cells, score.recipe, np.isfinite(score.value)) == (recorded.cells, recorded.recipe, True)

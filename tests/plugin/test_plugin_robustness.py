"""Robustness in a run: asked for, advisory or required, planned, kept, and refused where it cannot be had."""

from __future__ import annotations

import numpy as np
import pytest

METRICS = ("depth", "missing_genes", "panel_genes", "ambient")
ONLY = ("-k", "poorer and (hvg or random_init)")


def lines(result):
    return [line for line in result.outlines if line.startswith("test_robustness.py::")]


@pytest.mark.slow
def test_it_is_collected_where_it_is_asked_for(gate):
    """All four by the name of the group, one by its own, none unasked."""

    def listed(*args):
        return lines(gate("models:Trained", "--collect-only", "-q", *args))

    assert listed() == []
    assert len(listed("--metrics=robustness")) == 4 * 4
    assert len(listed("--require=depth")) == 4
    assert len(listed("--metrics=depth,nmi")) == 4


@pytest.mark.slow
def test_verdicts_are_those_of_any_metric(gate, project, verdict):
    """Advisory unless required, with donors left out; each side embeds the poorer cells once, and never again."""
    first = gate("models:Trained", "--require=depth", "--metrics=robustness", *ONLY)
    assert first.ret in (0, 1), first.stdout.str()
    found = {(each["baseline"], each["metric"]): each for each in verdict()["verdicts"]}
    assert set(found) == {(baseline, metric) for baseline in ("hvg", "random_init") for metric in METRICS}
    assert {metric: found["hvg", metric]["advisory"] for metric in METRICS} == {
        metric: metric != "depth" for metric in METRICS
    }
    depth = found["hvg", "depth"]
    assert (depth["unit"], depth["n_units"], depth["paired"]) == ("donor", 12, True)
    assert 0 < depth["ours"] <= 1
    assert depth["ci"][0] < depth["difference"] < depth["ci"][1]
    assert depth["detectable"] > 0
    assert depth["claim"].startswith("Cells that are poorer in counts are recognised better")
    assert found["random_init", "depth"]["seeds"] == {"ours": 1, "theirs": 3}
    assert {each["name"]: each["dataset"] for each in verdict()["baselines"]} == {
        "hvg": "cells",
        "random_init": "cells",
        "random_projection": "cells",  # what its twins are held against
    }
    assert {each["name"] for each in verdict()["metrics"]} == set(METRICS)
    steps = {each["what"] for each in verdict()["timings"]}
    assert {f"embed {who}, {each}" for who in ("models:Trained", "hvg", "random_init") for each in METRICS} <= steps
    gate("models:Trained", "--require=depth", "--metrics=robustness", *ONLY)
    assert {each["cached"] for each in verdict()["timings"] if ", " in each["what"]} == {True}
    planned = gate("models:Trained", "--metrics=robustness", *ONLY, "--plan").stdout.str()
    assert "embed random_init, ambient, 3 times" in planned
    assert "to make" not in planned


@pytest.mark.slow
def test_who_cannot_embed_poorer_cells_is_said_to_be_so(gate, project, verdict):
    """Rows in a file are not applicable, and refused where they are required; the paper's recipe likewise."""
    ids = project.path.joinpath("cells.ids.txt")
    import anndata

    names = anndata.read_h5ad(project.path / "cells.h5ad").obs_names
    ids.write_text("\n".join(names))
    np.save(project.path / "cells.npy", np.random.default_rng(0).normal(size=(len(names), 5)))
    gate("cells.npy", "--metrics=depth", "-k", "hvg and asw")
    reasons = {each["what"]: each["reason"] for each in verdict()["not_tested"]}
    assert reasons["depth"] == "the candidate is rows in a file, which cannot be had of perturbed cells"
    assert reasons["invariances"].startswith("the candidate is rows in a file")
    refused = gate("cells.npy", "--require=depth", "-k", "hvg and asw")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*require: depth cannot be computed on cells: the candidate is rows in a file*"])
    paper = gate("models:Trained", "--require=ambient", "--recipe=kedzierska2023", "-k", "hvg and asw")
    assert paper.ret == 4
    paper.stderr.fnmatch_lines(["*has hvg read X of the file, which a perturbation of counts does not reach*"])


@pytest.mark.slow
def test_a_rival_and_an_earlier_run_are_compared_too(gate, project, verdict):
    """Another model embeds the poorer cells as well; of an earlier run the recorded score is taken, if there is one."""
    args = ("--metrics=depth", "-k", "poorer and (Trained or against or 20)", "test_against.py")
    gate("models:good", "--against=models:Trained", *args)
    (found,) = verdict()["verdicts"]
    assert (found["baseline"], found["metric"]) == ("models:Trained", "depth")
    (project.path / "old.json").write_bytes((project.path / "zsgate-report" / "verdict.json").read_bytes())
    gate("models:Trained", "--against=old.json", *args)
    (again,) = verdict()["verdicts"]
    assert again["paired"]
    assert again["difference"] == -found["difference"]
    gate("models:Trained", "--against=old.json", "--metrics=depth,ambient", "-k", "poorer", "test_against.py")
    reasons = {each["what"]: each["reason"] for each in verdict()["not_tested"]}
    (said,) = (reasons[what] for what in reasons if what.startswith("ambient against"))
    assert said.endswith("has no recorded score by ambient")

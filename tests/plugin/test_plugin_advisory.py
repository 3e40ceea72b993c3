"""Advisory metrics and recipes: what decides a run, and what is shown beside it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import anndata
import pytest

ADVISORY = """
from zsgate import metrics

object.__setattr__(metrics.nmi, "advisory", True)
"""


def test_an_advisory_verdict_is_shown_and_does_not_decide(gate, project, verdict):
    """Noise loses by NMI; as an advisory metric that is expected to fail, in JUnit a skip; nothing decides: exit 5."""
    project.makeconftest(ADVISORY)
    result = gate("models:bad", "-x", "-k", "hvg and nmi", "-rx", "--junitxml=out.xml")

    assert result.ret == 5, result.stdout.str()
    assert result.parseoutcomes()["xfailed"] == 1
    assert "- advisory, does not decide the run: models:bad (nmi" in result.stdout.str()
    (judged,) = verdict()["verdicts"]
    assert (judged["advisory"], judged["passed"], judged["outcome"]) == (True, False, "loses")
    assert verdict()["gate"] == "unusable"
    assert "No test that decides was run" in result.stdout.str()
    case = next(
        case for case in ET.parse(project.path / "out.xml").iter("testcase") if case.find("skipped") is not None
    )
    assert case.find("skipped").get("type") == "pytest.xfail"
    assert "advisory" in (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_required_metric_decides(gate, project, verdict):
    """Require promotes it, from the command line and from pyproject.toml."""
    project.makeconftest(ADVISORY)
    assert gate("models:bad", "--require=nmi", "-k", "hvg and nmi").ret == 1
    project.makepyprojecttoml('[tool.zsgate]\nrequire = ["nmi"]')
    assert gate("models:bad", "-k", "hvg and nmi").ret == 1
    assert verdict()["verdicts"][0]["advisory"] is False


def test_a_required_metric_that_cannot_be_computed_is_refused(gate):
    """Without batches nothing is mixed, and a gate that left it out would pass for what it was not asked."""
    columns = ("--tier=quick", "--datasets=cells.h5ad", "--label=cell_type", "--donor=donor")
    result = gate("models:good", "--require=bras", "-k", "hvg and asw", columns=columns)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*require: bras cannot be computed on cells: no column of batches is named*"])


def test_an_unknown_required_metric_is_refused(gate):
    """With the nearest one, before anything runs."""
    result = gate("models:bad", "--require=nmo", "--collect-only")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*require: unknown metric 'nmo'; did you mean 'nmi'?*"])


def test_the_recipe_is_recorded_and_an_unknown_one_refused(gate, project, verdict):
    """Its id and hash are in verdict.json and on the page; of the paper's also what hvg was computed on."""
    adata = anndata.read_h5ad(project.path / "cells.h5ad")
    adata.layers["counts"], adata.X = adata.X.copy(), adata.X.log1p()
    adata.write_h5ad(project.path / "logged.h5ad")
    columns = ("--datasets=cells.h5ad,logged.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor")
    gate("models:bad", "--recipe=kedzierska2023", "-k", "hvg and asw", columns=columns)
    recipe = verdict()["recipe"]
    page = (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")

    assert (recipe["id"], recipe["settings"]["scored"]) == ("kedzierska2023", 7500)
    assert "kedzierska2023" in page
    assert recipe["hash"] in page
    for said in ("hvg on cells is computed on the counts, for no X", "hvg on logged is computed on X of logged.h5ad"):
        assert any(said in caveat for caveat in verdict()["caveats"])
        assert said in page
    result = gate("models:bad", "--recipe=kedzierska", "-k", "hvg and asw")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*unknown recipe 'kedzierska'; did you mean 'kedzierska2023'?*"])


def test_metrics_on_request_run_when_asked_for(gate, verdict):
    """--metrics computes them without letting them decide; a required one decides; dead models fail the controls."""
    result = gate(
        "models:bad",
        "--metrics=graph_connectivity,bras",
        "--require=label_transfer",
        "-k",
        "hvg and (connect or bras or transfer)",
    )

    assert result.ret == 1, result.stdout.str()
    judged = {each["metric"]: each for each in verdict()["verdicts"]}
    assert {name: each["advisory"] for name, each in judged.items()} == {
        "graph_connectivity": True,
        "bras": True,
        "label_transfer": False,
    }
    assert judged["label_transfer"]["outcome"] == "loses"
    assert "where cell types are separated worse" in judged["bras"]["reason"]
    for control, metrics in {"noise": judged.keys(), "oracle": judged.keys() - {"bras"}}.items():
        assert {each["metric"] for each in verdict()["controls"] if each["control"] == control} == metrics
    assert all(each["passed"] for each in verdict()["controls"])
    assert judged["label_transfer"]["p_holm"] == 1.0


def test_a_metric_that_nobody_asked_for_is_not_collected(gate):
    """The default run is no longer for it."""
    result = gate("models:bad", "--collect-only", "-q")

    assert "avg_bio" in result.stdout.str()
    assert "graph_connectivity" not in result.stdout.str()

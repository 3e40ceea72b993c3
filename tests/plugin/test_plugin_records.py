"""What a run leaves behind: page, verdict.json, JUnit properties, pytest-html rows, GitHub's summary."""

from __future__ import annotations

import json
from datetime import date, timedelta
from importlib.resources import files
from xml.etree import ElementTree as ET

import anndata
import jsonschema
import numpy as np
import pytest

SELECT = ("-k", "hvg and (asw or nmi)")


def test_verdict_json_is_what_the_schema_says(gate, verdict):
    """A real run's record validates, and holds every key that the README names."""
    gate("models:bad", *SELECT)
    schema = json.loads((files("zsgate.report") / "verdict.schema.json").read_text(encoding="utf-8"))

    jsonschema.validate(verdict(), schema)
    keys = (
        "model dataset metric baseline ours theirs difference ci level outcome passed policy margin unit n_units seeds"
    )
    assert set(keys.split()) <= set(verdict()["verdicts"][0])
    top = "schema gate model recipe verdicts controls not_tested timings provenance"
    assert set(top.split()) <= set(verdict())


def test_the_page_is_one_file_with_every_verdict(gate, project, verdict):
    """index.html stands alone."""
    gate("models:bad", *SELECT)
    page = (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")

    for each in verdict()["verdicts"]:
        assert f"verdict-{each['dataset']}-{each['baseline']}-{each['metric']}" in page
    assert "LOST" in page
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page


def test_junit_carries_the_outcome(gate, project):
    """Each testcase has the outcome and the difference as properties."""
    gate("models:bad", "--junitxml=out.xml", *SELECT)
    tree = ET.parse(project.path / "out.xml")

    cases = [case for case in tree.iter("testcase") if "separates" in case.get("name", "")]
    assert len(cases) == 2
    for case in cases:
        properties = {each.get("name"): each.get("value") for each in case.iter("property")}
        assert properties["zsgate_outcome"] in ("beats", "loses", "inconclusive")
        float(properties["zsgate_difference"])


def test_pytest_html_shows_the_sentence(gate, project):
    """--html rows carry the verdict."""
    gate("models:bad", "--html=rows.html", "--self-contained-html", "-k", "hvg and nmi")
    text = (project.path / "rows.html").read_text(encoding="utf-8")

    assert "loses to hvg" in text
    assert "Verdict" in text


def test_github_gets_a_summary_and_annotations(gate, project, monkeypatch):
    """In Actions the step summary holds the table, and the losses are annotated."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    result = gate("models:bad", *SELECT)

    assert "models:bad" in (project.path / "summary.md").read_text(encoding="utf-8")
    result.stdout.fnmatch_lines(["::error *"])


@pytest.mark.slow
def test_precomputed_embeddings_are_judged_like_the_model(gate, project, cells_file, verdict):
    """Rows of a file, in another order, give the verdict that the model itself gets."""
    gate("models:bad", *SELECT)
    live = verdict()["verdicts"]
    adata = anndata.read_h5ad(cells_file)
    namespace: dict = {}
    exec((project.path / "models.py").read_text(encoding="utf-8"), namespace)
    order = np.random.default_rng(1).permutation(adata.n_obs)
    np.savez(
        project.path / "rows.npz",
        X=namespace["bad"](adata)[order],
        ids=adata.obs_names.to_numpy(dtype=str)[order],
    )
    gate("rows.npz", *SELECT)

    for ours, theirs in zip(verdict()["verdicts"], live, strict=True):
        assert ours["difference"] == pytest.approx(theirs["difference"], abs=1e-6)
        assert ours["ci"] == pytest.approx(theirs["ci"], abs=1e-6)


def test_a_second_run_computes_nothing_again(gate, verdict):
    """With a fingerprint, embeddings come from the store, and the verdicts are the same."""
    gate("models:Trained", *SELECT)
    first = verdict()
    gate("models:Trained", *SELECT)
    second = verdict()

    assert first["verdicts"] == second["verdicts"]
    assert all(each["cached"] for each in second["timings"] if each["what"].startswith("embed"))
    assert not any(each["cached"] for each in first["timings"] if each["what"].startswith("embed"))


def test_without_a_fingerprint_nothing_is_kept(gate, project, verdict):
    """A model that may have changed is embedded anew, and its scratch is cleared."""
    for _ in range(2):
        gate("models:bad", "-k", "hvg and nmi")
        (made,) = [each for each in verdict()["timings"] if each["what"] == "embed models:bad"]
        assert not made["cached"]
    assert not list((project.path / "cache" / "runs").glob("*"))


@pytest.mark.parametrize(
    ("what", "why"), [("report", "cannot write the report there (Not a directory)"), ("cache", "it is no folder")]
)
def test_folders_that_cannot_be_written_to_are_refused(gate, project, what, why):
    """Before anything runs, by the name of the option: neither a verdict without a page nor a candidate to blame."""
    (project.path / "taken").write_text("a file", encoding="utf-8")
    result = gate("models:good", f"--{what}=taken", "-k", "hvg and asw")

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*--{what} *taken: {why}*"])


def test_a_report_that_cannot_be_written_in_the_end_exits_3(gate, project):
    """A page that cannot be written is said so, before anything runs if it is known then."""
    project.makepyfile(
        spoiler="""
        from pathlib import Path
        from models import good

        def spoils(adata):
            Path("out/index.html").unlink(missing_ok=True)
            Path("out/index.html").mkdir(exist_ok=True)
            return good(adata)
        """
    )
    result = gate("spoiler:spoils", "--report=out", "-k", "hvg and asw")
    assert result.ret == 3
    result.stdout.fnmatch_lines(["exit 3: cannot write the report: IsADirectoryError: *"])

    result = gate("models:good", "--report=out", "-k", "hvg and asw")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*cannot write the report there*"])


@pytest.mark.slow
def test_a_verdict_on_data_seen_in_pretraining_fails_if_asked(gate, verdict, project):
    """What the user declares is on every verdict, on the page's caveats, and with --leakage=fail decides."""
    table = '[tool.zsgate.models."models:good"]\npretraining = ["cells.h5ad"]\n'
    (project.path / "pyproject.toml").write_text(table, encoding="utf-8")
    assert gate("models:good", "-k", "hvg and asw").ret == 0
    record = verdict()
    seen = {"status": "seen", "source": "declared in pyproject.toml"}
    assert [each["pretraining"] for each in (*record["verdicts"], *record["datasets"])] == [seen, seen]
    assert any("models:good saw cells in pretraining" in caveat for caveat in record["caveats"])
    assert gate("models:good", "-k", "hvg and asw", "--leakage=fail").ret == 1
    with (project.path / "pyproject.toml").open("a", encoding="utf-8") as stream:
        stream.write("[[tool.zsgate.waiver]]\nmatch = 'cells-*'\nreason = 'known'\nowner = 'me'\n")
        stream.write(f"expires = {date.today() + timedelta(days=30)}\nmax_deficit = 0.4\n")
    assert gate("models:good", "-k", "hvg and asw", "--leakage=fail").ret == 1  # it excuses being behind alone
    (failed,) = verdict()["verdicts"]
    assert (failed["outcome"], failed["passed"]) == ("beats", False)
    assert "it was in the model's pretraining data (declared in pyproject.toml)" in failed["reason"]

"""What is collected: suites, node ids, controls, and only what makes sense."""

from __future__ import annotations

import pytest


def names(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line and "[" in line]


@pytest.fixture
def listed(gate):
    """List what would run."""
    return lambda model, *args, **kw: names(gate(model, "--collect-only", "-q", *args, **kw))


def test_the_matrix_is_dataset_baseline_metric(listed):
    """Node ids end in [dataset-baseline-metric], and the whole matrix is there."""
    found = listed("models:Trained", "test_cell_type_clustering.py")

    claims = [line for line in found if "clustering" in line]
    assert len(claims) == 4 * 5
    assert "test_cell_type_clustering.py::test_separates_cell_types[cells-hvg-avg_bio]" in claims


def test_a_model_without_a_twin_has_no_random_init_tests(listed):
    """Not collected rather than skipped."""
    assert not [line for line in listed("models:good") if "random_init" in line]
    assert [line for line in listed("models:Trained") if "random_init" in line]


def test_what_was_not_tested_is_said(gate, verdict):
    """The record names the claims that were not tested, and why."""
    gate("models:good", "-k", "hvg and asw", columns=("--datasets=cells.h5ad", "--label=cell_type", "--donor=donor"))

    reasons = {each["what"]: each["reason"] for each in verdict()["not_tested"]}
    assert set(reasons) == {"random_init", "batch_score", "knn_mixing", "reconstruction"}
    assert "random_init(seed)" in reasons["random_init"]
    assert reasons["batch_score"] == "no column of batches is named"


def test_no_batch_column_no_batch_score(listed):
    """Without a batch column the batch suite has nothing to ask."""
    found = listed("models:good", columns=("--datasets=cells.h5ad", "--label=cell_type", "--donor=donor"))

    assert found
    assert not [line for line in found if "batch_score" in line or "mixing" in line]


@pytest.mark.parametrize(
    "selection", [("-k", "hvg and asw"), ("test_cell_type_clustering.py::test_separates_cell_types[cells-hvg-asw]",)]
)
def test_controls_run_whatever_the_selection(gate, selection):
    """A selected metric brings its controls along, however it was selected."""
    found = names(gate("models:good", "--collect-only", "-q", *selection))

    assert [line for line in found if "clustering" in line] == [
        "test_cell_type_clustering.py::test_separates_cell_types[cells-hvg-asw]"
    ]
    controls = [line.partition("::")[2] for line in found if "test_controls" in line]
    assert "test_gets_what_it_deserves[cells-oracle-hvg-asw]" in controls
    assert "test_constant_is_refused[cells]" in controls
    assert not [line for line in controls if "scvi" in line or "-nmi]" in line]


@pytest.mark.slow
def test_last_failed_keeps_the_controls(gate):
    """--lf runs the lost verdicts again, with their controls."""
    gate("models:bad", "-k", "hvg and nmi")
    result = gate("models:bad", "--lf")

    assert result.ret == 1
    result.stdout.fnmatch_lines(["zsgate: the controls of the selected tests run as well"])
    result.stdout.fnmatch_lines(["*test_cell_type_clustering.py F*", "*test_controls.py ....*"])


@pytest.mark.slow
def test_the_node_id_of_a_failure_can_be_pasted(gate):
    """The id that pytest prints selects that test again."""
    lost = next(line for line in gate("models:bad", "-k", "hvg and nmi").outlines if line.startswith("FAILED"))
    nodeid = lost.split()[1]
    result = gate("models:bad", nodeid)

    assert result.ret == 1
    assert [line.split()[1] for line in result.outlines if line.startswith("FAILED")] == [nodeid]


def test_collect_only_writes_nothing(gate, project):
    """Listing leaves neither a page nor a store behind."""
    assert gate("models:good", "--collect-only", "-q").ret == 0

    assert not (project.path / "zsgate-report").exists()
    assert not (project.path / "cache").exists()


@pytest.mark.parametrize(
    ("model", "columns", "words"),
    [
        ("models:absent", (), "cannot import it"),
        ("models:good", ("--label=cel_type",), "no column 'cel_type' for --label; did you mean 'cell_type'?"),
    ],
)
def test_listing_refuses_what_cannot_be_used(gate, project, model, columns, words):
    """--collect-only of a bad model or bad data is one sentence, and nothing for --lf to remember."""
    result = gate(model, "--collect-only", "-q", *columns)

    assert result.ret == 4, result.stdout.str()
    assert words in result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert not list(project.path.glob("**/lastfailed"))


@pytest.mark.parametrize(
    ("ini", "args", "words"),
    [
        ("", (".",), "no test of the gate was selected: . (typed, or of addopts) holds none"),
        ("addopts = tests", (), "no test of the gate was selected: tests (typed, or of addopts) holds none"),
        ("", ("-k", "nothinghere"), "no test of the gate was selected: -k 'nothinghere' leaves none"),
        ("", ("-k", "nothinghere", "-n", "2"), "no test of the gate was selected: -k 'nothinghere' leaves none"),
        ("", ("test_controls.py", "-k", "constant"), "no verdict was reached: what was selected judges no model"),
        ("", ("test_reconstruction.py",), "not tested: reconstruction: "),
        ("", ("-k", "random_init"), "not tested: random_init on cells: the candidate offers no random_init(seed)"),
    ],
)
def test_a_run_without_a_verdict_says_why(gate, project, verdict, ini, args, words):
    """Exit 5 names the path or the expression that left nothing, and only then what the candidate lacks."""
    project.mkdir("tests").joinpath("test_own.py").write_text("def test_own(): pass", encoding="utf-8")
    project.makeini(f"[pytest]\n{ini}")
    result = gate("models:good", *args)

    assert result.ret == 5
    assert any(line.startswith("exit 5: ") and words in line for line in result.outlines), result.stdout.str()
    assert ("reconstruction" in result.stdout.str()) == ("reconstruction" in words)
    assert (verdict()["gate"], verdict()["verdicts"]) == ("unusable", [])
    assert words in verdict()["provenance"]["exit_reason"]


def test_failures_of_the_repository_s_own_tests_are_no_verdict(gate, project, verdict):
    """A path without a suite: pytest's own exit code, and a page that says that no gate ran."""
    project.makepyfile(test_own="def test_own(): assert False")
    result = gate("models:good", "test_own.py")

    assert result.ret == 1
    assert verdict()["gate"] == "unusable"
    result.stdout.fnmatch_lines(["exit 1: no test of the gate was selected: test_own.py *"])


def test_two_datasets_of_one_name_are_refused(gate, project, cells_file):
    """A file's dataset name is its stem."""
    (project.path / "other").mkdir()
    (project.path / "other" / "cells.h5ad").symlink_to(cells_file)
    result = gate("models:good", "--datasets=cells.h5ad,other/cells.h5ad")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*two datasets are named 'cells'*"])

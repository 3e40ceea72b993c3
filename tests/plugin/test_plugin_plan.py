"""--plan says what a run would do and runs nothing."""

from __future__ import annotations

import json

import pytest

LIGHT = """
class Light:
    fingerprint = "1"
    runs = 0

    def embed(self, adata):
        open("embedded", "a").write("x")
        return adata.X[:, :100].toarray()
"""


@pytest.fixture
def planned(project, gate):
    """Return a function that plans a run of a small model, and one that runs it."""
    project.makepyfile(light=LIGHT)
    only = ("-k", "hvg and nmi")
    return (lambda *args: gate("light:Light", "--plan", *only, *args)), (
        lambda *args: gate("light:Light", *only, *args)
    )


def test_a_plan_runs_nothing_and_knows_what_is_kept(planned, project):
    """Before a run everything is to make and the report folder is left alone; after it, all is in the store."""
    plan, run = planned
    first = plan()
    assert first.ret == 0, first.stdout.str()
    first.stdout.fnmatch_lines(
        [
            "tests: *",
            "cells: 240 cells; tests: 1 cell type clustering, * controls",
            "  embed light:Light *to make *not measured yet",
            "  embed hvg *to make *about * s",
            "  score light:Light *to make *",
            "downloads: none",
            "memory: about * GB",
            "in all: about * and what nobody has measured (embed light:Light)*",
        ]
    )
    assert not (project.path / "zsgate-report").exists()
    assert not (project.path / "embedded").exists()
    assert not (project.path / "cache").exists()
    assert run().ret in (0, 1)
    page = (project.path / "zsgate-report" / "verdict.json").read_bytes()
    calls = (project.path / "embedded").read_text()
    for args in ((), ("-n", "2")):
        again = plan(*args)
        assert again.ret == 0
        assert "to make" not in again.stdout.str()
        again.stdout.fnmatch_lines(
            ["  score shuffled rows of light:Light *in the store*", "in all: about [0-9] s, as measured here"]
        )
    assert (project.path / "zsgate-report" / "verdict.json").read_bytes() == page
    assert (project.path / "embedded").read_text() == calls
    (rates,) = json.loads((project.path / "cache" / "rates.json").read_text()).values()
    assert rates["score"] > 0


def test_a_plan_of_a_subset_names_its_tests(planned):
    """With -v by node id; of nothing, exit 5; of what cannot be used, exit 4."""
    plan, _ = planned
    plan("-v").stdout.fnmatch_lines(["  test_cell_type_clustering.py::test_separates_cell_types[[]cells-hvg-nmi[]]"])
    assert plan("--zsgate-margin=7").ret == 4
    assert plan("--deselect=test_controls.py", "-m", "nothing_has_this_mark").ret == 5


def test_weights_that_are_not_here_are_told_and_not_fetched(gate, project):
    """A plan of a checkpoint needs no weights, and downloads none."""
    planned = gate("scgpt_human", "--plan", "-k", "hvg and asw", columns=("--tier=quick",))
    assert planned.ret == 0, planned.stdout.str()
    planned.stdout.fnmatch_lines(
        ["  embed scgpt_human *about *", "downloads: 0.21 GB, about 21 s at 10 MB/s", "  best_model.pt: 0.21 GB"]
    )
    assert not (project.path / "cache" / "weights").exists()
    assert gate("scgpt_human", "--plan", "--offline", columns=("--tier=quick",)).ret == 4


@pytest.mark.parametrize("args", [(), pytest.param(("-n", "1"), marks=pytest.mark.slow)], ids=["here", "worker"])
def test_a_long_run_says_so_first(gate, project, args):
    """Three lines before the first test; a short run has none."""
    project.makeconftest("from zsgate.run.before import words\nwords.LONG = 0.01\n")
    result = gate("models:bad", "-k", "hvg and asw", *args)
    lines = result.stdout.lines
    (first,) = (place for place, line in enumerate(lines) if line.startswith("zsgate: about "))
    assert "ahead and what nobody has measured (embed models:bad): " in lines[first]
    assert "embeddings are in the store; downloads: none" in lines[first + 1]
    assert lines[first + 2].startswith("zsgate: memory: about ")
    assert not any("[100%]" in line for line in lines[:first])

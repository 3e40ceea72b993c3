"""The same cells in other forms: part of every run, a failure of the candidate where its rows follow the form."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

SOME = ("-k", "form or (hvg and asw)")
NODE = "test_invariances.py::test_form_changes_nothing[cells]"
MODELS = """
import numpy as np


class Honest:
    fingerprint = "1"

    def embed(self, adata):
        open("embedded", "a").write("x")
        genes = sorted(adata.var_names[adata.X.getnnz(axis=0) > -1])
        known = [gene for gene in genes if gene.startswith("ENSG") and int(gene[-2:]) < 20]
        return np.log1p(adata[:, known].X.toarray() @ weights(known))


class ByPosition(Honest):
    def embed(self, adata):
        return np.log1p(adata.X[:, :300].toarray())


class Chance(Honest):
    stochastic = True


class Across(Honest):
    independent_cells = False


def weights(genes):
    return np.array([np.random.default_rng(int(gene[4:])).exponential(size=16) for gene in genes])
"""


def run(gate, project, model, *args):
    project.makepyfile(forms=MODELS)
    return gate(f"forms:{model}", *args)


def test_a_row_that_follows_the_form_fails_the_candidate(gate, project, verdict):
    """Exit 1 and not 3; one sentence on the terminal, in the record, on the page and in JUnit says what moved it."""
    done = run(gate, project, "ByPosition", *SOME, "--junitxml=out.xml")
    assert done.ret == 1, done.stdout.str()
    said = "ByPosition gives a cell another row with the genes in another order: "
    (failure,) = verdict()["failures"]
    assert (failure["what"], failure["nodeid"], failure["dataset"]) == ("candidate", NODE, "cells")
    assert failure["message"].startswith(f"on cells {said}")
    assert verdict()["gate"] == "lost"
    assert said in done.stdout.str().replace("\n", " ")
    assert said in (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    (case,) = (each for each in ET.parse(project.path / "out.xml").iter("testcase") if "form" in each.get("name", ""))
    assert said in case.find("failure").get("message")  # type: ignore[union-attr]


@pytest.mark.slow
def test_who_keeps_its_rows_passes_and_is_not_asked_again(gate, project, verdict):
    """What was seen stands in the record, and a second run has it from the store, without Hypothesis."""
    assert run(gate, project, "Honest", NODE).ret == 5  # by itself it is no verdict
    assert run(gate, project, "Honest", *SOME).ret in (0, 1)
    checks = [each for each in verdict()["checks"] if each["nodeid"]]
    assert [each["nodeid"] for each in checks] == [NODE] * 5
    assert {each["dataset"] for each in checks} == {"cells"}
    assert all(each["moved"] <= 1e-6 * each["apart"] for each in checks)
    calls = (project.path / "embedded").read_text()
    project.makeconftest("import sys\n\ndef pytest_unconfigure():\n    assert 'hypothesis' not in sys.modules\n")
    assert run(gate, project, "Honest", *SOME, "-n", "2").ret in (0, 1)
    fresh = (project.path / "embedded").read_text().removeprefix(calls)
    assert 1 <= len(fresh) <= 3  # few cells, by each process that asks for rows, to see that they are its own
    assert [each for each in verdict()["checks"] if each["nodeid"]] == checks


@pytest.mark.slow
def test_who_cannot_be_asked_is_said_to_be_so(gate, project, verdict):
    """A model that draws chance, one that looks across cells, and rows in a file."""
    done = run(gate, project, "Chance", "--collect-only", "-q")
    assert NODE not in done.stdout.str()
    run(gate, project, "Chance", "-k", "hvg and asw")
    reasons = {each["what"]: each["reason"] for each in verdict()["not_tested"]}
    assert reasons["invariances"].startswith("the candidate draws chance")
    run(gate, project, "Across", *SOME)
    reasons = {each["what"]: each["reason"] for each in verdict()["not_tested"]}
    assert reasons["invariances: cells alone and in another order"].startswith("the candidate looks across cells")
    assert len(verdict()["checks"]) == 3


def test_a_run_of_some_tests_says_that_it_left_it_out(gate, project, verdict):
    """It is one of the tests that decide."""
    run(gate, project, "Honest", "-k", "hvg and asw")
    some = verdict()["selection"]
    assert some["n_selected"] == 1
    done = run(gate, project, "Honest", *SOME)
    assert verdict()["selection"]["n_selected"] == 2
    assert done.ret in (0, 1)

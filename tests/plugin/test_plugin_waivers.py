"""Thresholds and waivers in a run: what passes, what is listed, and what fails the run."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

WAIVER = """
[[tool.zsgate.waiver]]
match = "{match}"
reason = "retraining"
owner = "Ada"
expires = {expires}
max_deficit = {deficit}
"""
SOON = date.today() + timedelta(days=30)
SOME = ("-k", "hvg and asw")


def waiver(match="cells-hvg-asw", expires=SOON, deficit=1):
    return WAIVER.format(match=match, expires=expires, deficit=deficit)


def test_a_waived_loss_is_expected_and_listed(gate, project, verdict):
    """Exit 0, xfailed with owner and reason, in verdict.json, on the page and on the terminal."""
    project.makepyprojecttoml(waiver())
    result = gate("models:bad", *SOME, "-rx")

    assert result.ret == 0, result.stdout.str()
    assert result.parseoutcomes()["xfailed"] == 1
    assert f"waived until {SOON} by Ada (retraining): models:bad (asw" in result.stdout.str()
    assert verdict()["gate"] == "waived"
    result.stdout.fnmatch_lines(["WAIVED: *"])
    (judged,) = verdict()["verdicts"]
    assert (judged["passed"], judged["waiver"]["owner"]) == (False, "Ada")
    assert [(each["state"], each["tests"]) for each in verdict()["waivers"]] == [("in force", 1)]
    page = (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    assert "Waivers" in page
    assert "is waived against hvg: 0 of 1 test passed, 1 waived" in page
    result.stdout.fnmatch_lines(["*waiver cells-hvg-asw: in force (1 test); Ada: retraining;*"])


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        (waiver(expires="2020-01-01"), "expired", "the waiver 'cells-hvg-asw' of Ada expired on 2020-01-01"),
        (waiver(deficit=0.0001), "exceeded", "more than the 0.0001 that Ada waived"),
    ],
)
def test_a_waiver_that_does_not_hold_fails_the_test(gate, project, verdict, text, state, words):
    """Exit 1, and the verdict's sentence says which waiver and why."""
    project.makepyprojecttoml(text)
    result = gate("models:bad", *SOME)

    assert result.ret == 1
    assert words in verdict()["verdicts"][0]["sentence"]
    assert [each["state"] for each in verdict()["waivers"]] == [state]
    assert verdict()["gate"] == "inconclusive"  # as without the waiver: these 12 donors cannot tell noise from HVG


def test_thresholds_of_single_tests_decide(gate, project, verdict):
    """Our own value must reach the threshold of its test; the other test keeps the run's terms."""
    project.makepyprojecttoml('[[tool.zsgate.threshold]]\nmatch = "cells-*-asw"\nthreshold = 0.99\nmargin = 0.01\n')
    result = gate("models:good", "-k", "hvg and (asw or nmi)")

    assert result.ret == 1
    by_metric = {each["metric"]: each for each in verdict()["verdicts"]}
    assert "does not reach 0.99" in by_metric["asw"]["reason"]
    assert (by_metric["asw"]["threshold"], by_metric["asw"]["margin"]) == (0.99, 0.01)
    assert (by_metric["nmi"]["threshold"], by_metric["nmi"]["margin"]) == (None, 0.0)
    assert [by_metric[name]["passed"] for name in ("asw", "nmi")] == [False, True]


def test_a_waiver_for_what_is_not_in_this_run_waits(gate, project, verdict):
    """Of a dataset of pyproject.toml, the catalogue, a file not named here, a rival of another run: not tested."""
    elsewhere = (
        "lab-hvg-asw",
        "pancreas-scvi",
        "run_7-hvg",
        "cells_2-hvg",
        "cells-geneformer_v1_10m-asw",
        "cells-a.b:c@2026-01-01",
    )
    table = '[tool.zsgate.datasets.lab]\npath = "lab.h5ad"\nlabel = "type"\n'
    project.makepyprojecttoml(table + "".join(map(waiver, elsewhere)))
    project.mkdir("data").joinpath("cells_2.h5ad").touch()
    result = gate("models:good", *SOME)

    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert [(each["match"], each["state"]) for each in verdict()["waivers"]] == [(n, "not tested") for n in elsewhere]


def test_a_pattern_that_matches_no_test_is_refused(gate, project):
    """A waiver nobody can need is a typing error: exit 4, with the nearest test."""
    project.makepyprojecttoml(waiver("cells-hvgs-asw"))
    result = gate("models:good", *SOME)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*waiver: 'cells-hvgs-asw' matches no test*the nearest is 'cells-hvg-asw'*"])

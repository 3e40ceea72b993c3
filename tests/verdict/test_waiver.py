"""Waivers: what they cover, and what became of them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest

from zsgate.report.record import Outcome, VerdictRecord, WaiverRecord
from zsgate.verdict.waiver import Waiver, review

DAY = date(2027, 1, 31)
WAIVER = Waiver(match="lab-scvi", reason="retraining", owner="Ada", expires=DAY, max_deficit=0.05)


def verdict(passed, *, waiver=None, baseline="scvi", advisory=False, difference=-0.06, reason=""):
    return VerdictRecord(
        nodeid=f"test_against.py::test_beats[lab-{baseline}-asw]",
        model="mine",
        dataset="lab",
        metric="asw",
        baseline=baseline,
        ours=0.5,
        theirs=0.5 - difference,
        difference=difference,
        outcome=Outcome.BEATS if difference > 0 else Outcome.LOSES,
        passed=passed,
        advisory=advisory,
        waiver=None if waiver is None else waiver.terms,
        reason=reason,
    )


@pytest.mark.parametrize(
    ("difference", "today", "words"),
    [
        (-0.05, DAY, ""),
        (0.1, DAY, ""),
        (-0.051, DAY, "behind by 0.051, more than the 0.05 that Ada waived"),
        (math.nan, DAY, "behind by nan"),
        (-0.01, date(2027, 2, 1), "expired on 2027-01-31"),
    ],
)
def test_a_waiver_covers_up_to_its_last_day_and_deficit(difference, today, words):
    """The last day and the largest deficit are still covered; NaN never is."""
    assert words in WAIVER.objection(difference, today)
    assert bool(WAIVER.objection(difference, today)) == bool(words)


@pytest.mark.parametrize(
    ("verdicts", "whole", "state", "tests"),
    [
        ([verdict(False, waiver=WAIVER), verdict(True)], True, "in force", 1),
        ([verdict(False, waiver=WAIVER), verdict(False)], True, "exceeded", 1),
        ([verdict(True)], True, "no longer needed", 0),
        ([verdict(True)], False, "not needed by this run", 0),
        ([verdict(False, difference=0.2, reason="seen")], True, "does not apply: seen", 0),
        ([verdict(False, difference=math.nan)], True, "exceeded", 0),
        ([verdict(True, baseline="hvg")], True, "not tested", 0),
        ([verdict(False, advisory=True)], True, "not tested", 0),
    ],
)
def test_every_waiver_is_reviewed(verdicts, whole, state, tests):
    """One waived test keeps it in force; one that is worse than waived shows; none that fails makes it needless."""
    (found,) = review([WAIVER], verdicts, DAY, whole=whole)
    assert found == WaiverRecord(
        match="lab-scvi",
        reason="retraining",
        owner="Ada",
        expires="2027-01-31",
        max_deficit=0.05,
        state=state,
        tests=tests,
    )


def test_an_expired_waiver_is_called_so():
    """Whatever its tests do, and beside one that renews it."""
    late = date(2028, 1, 1)
    for verdicts in ([verdict(False)], [verdict(True)], []):
        assert review([WAIVER], verdicts, late, whole=True)[0].state == "expired"
    renewed = replace(WAIVER, expires=late)
    found = review([WAIVER, renewed], [verdict(False, waiver=renewed)], late, whole=True)
    assert [(each.state, each.tests) for each in found] == [("expired", 0), ("in force", 1)]


@pytest.mark.parametrize(
    ("match", "datasets", "state"),
    [
        ("*-scvi", ("lab",), "no longer needed"),
        ("*-scvi", ("lab", "other"), "not needed by this run"),
        ("l*-scvi-asw", ("lab", "other"), "no longer needed"),
        ("lab-scvi", ("lab", "other"), "no longer needed"),
    ],
)
def test_only_a_run_on_all_that_a_waiver_is_for_can_do_without_it(match, datasets, state):
    """A job on a part of the project's datasets does not know of the others."""
    (found,) = review([replace(WAIVER, match=match)], [verdict(True)], DAY, whole=True, datasets=datasets)
    assert found.state == state

"""Waivers: what they cover, what became of them, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest

from zsgate.config.config import Config
from zsgate.errors import UsageProblem
from zsgate.verdict.waiver import Waiver, reviewed

DAY = date(2027, 1, 31)
WAIVER = Waiver(match="lab-scvi", reason="retraining", owner="Ada", expires=DAY, max_deficit=0.05)
TABLE = "match = 'lab-scvi'\nreason = 'r'\nowner = 'Ada'\nexpires = 2027-01-31\nmax_deficit = 0.05\n"


def verdict(passed, *, waived=False, baseline="scvi", advisory=False, difference=-0.06, reason=""):
    names = {"dataset": "lab", "baseline": baseline, "metric": "asw", "advisory": advisory, "passed": passed}
    return {**names, "waiver": WAIVER.as_dict() if waived else None, "difference": difference, "reason": reason}


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
        ([verdict(False, waived=True), verdict(True)], True, "in force", 1),
        ([verdict(False, waived=True), verdict(False)], True, "exceeded", 1),
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
    (found,) = reviewed([WAIVER], verdicts, DAY, whole=whole)
    assert (found["state"], found["tests"], found["owner"]) == (state, tests, "Ada")


def test_an_expired_waiver_is_called_so():
    """Whatever its tests do, and beside one that renews it."""
    late = date(2028, 1, 1)
    for verdicts in ([verdict(False)], [verdict(True)], []):
        assert reviewed([WAIVER], verdicts, late, whole=True)[0]["state"] == "expired"
    renewed = replace(WAIVER, expires=late)
    covered = {**verdict(False), "waiver": renewed.as_dict()}
    found = reviewed([WAIVER, renewed], [covered], late, whole=True)
    assert [(each["state"], each["tests"]) for each in found] == [("expired", 0), ("in force", 1)]


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
    (found,) = reviewed([replace(WAIVER, match=match)], [verdict(True)], DAY, whole=True, datasets=datasets)
    assert found["state"] == state


def test_a_waiver_may_be_one_model_s(tmp_path):
    """In a run of another it is not there."""
    text = "[[tool.zsgate.waiver]]\n" + TABLE + "model = 'my.gate:A'\n"
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert [len(Config.gather({"model": f"my.gate:{name}"}, {}, tmp_path).waiver) for name in "AB"] == [1, 0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("owner = 'Ada'\n", "", "owner missing in the one that matches 'lab-scvi'"),
        ("reason = 'r'", "reason = ''", "reason missing"),
        ("expires = 2027-01-31", "expires = '31.1.2027'", "must be a day such as 2027-01-31"),
        ("expires = 2027-01-31", "expires = 2027-01-31T10:00:00", "must be a day"),
        ("expires", "expiry", "unknown key 'expiry'; did you mean 'expires'?"),
        ("max_deficit = 0.05", "max_deficit = -1", "from 0 to"),
        (TABLE, "match = 'a'", "reason, owner, expires, max_deficit missing"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, old, new, words):
    """Missing fields, bad days and unknown keys are said."""
    assert old in TABLE
    text = "[[tool.zsgate.waiver]]\n" + TABLE.replace(old, new)
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"\[tool.zsgate\] waiver: ") as refused:
        Config.gather({"model": "m"}, {}, tmp_path)
    assert words in str(refused.value)


def test_a_day_may_be_a_toml_date_or_text(tmp_path):
    """Both spellings of a day are one; an array of other things than tables is refused."""
    for day in ("2027-01-31", "'2027-01-31'"):
        text = "[[tool.zsgate.waiver]]\n" + TABLE.replace("expires = 2027-01-31", f"expires = {day}")
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        assert Config.gather({"model": "m"}, {}, tmp_path).waiver[0].expires == DAY
    (tmp_path / "pyproject.toml").write_text("[tool.zsgate]\nwaiver = ['lab-scvi']\n", encoding="utf-8")
    with pytest.raises(UsageProblem, match="must be tables"):
        Config.gather({"model": "m"}, {}, tmp_path)

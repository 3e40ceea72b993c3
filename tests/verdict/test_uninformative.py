"""Uninformative tests: noise that is only not shown to lose breaks no gate where the oracle wins."""

from __future__ import annotations

import pytest

from zsgate.verdict.uninformative import annotate, find, withdraw

NOISE = {"control": "noise", "dataset": "lab", "baseline": "hvg", "metric": "nmi", "expected": "loses"}
ORACLE = {"control": "oracle", "dataset": "lab", "baseline": "hvg", "metric": "nmi", "expected": "beats"}
SEES = {**ORACLE, "got": "beats", "passed": True}
UNSURE = {**NOISE, "got": "inconclusive", "passed": False}
VERDICT = {"dataset": "lab", "baseline": "hvg", "metric": "nmi", "passed": True, "outcome": "beats", "reason": ""}


def test_noise_that_is_not_shown_to_lose_is_found():
    """By dataset, baseline and metric, in one sentence."""
    (test, said), *rest = find([UNSURE, SEES]).items()
    assert (test, rest) == (("lab", "hvg", "nmi"), [])
    assert said.startswith("on lab hvg cannot be told from pure noise by nmi (too few cells or donors, or a baseline")


@pytest.mark.parametrize(
    "controls",
    [
        pytest.param([UNSURE], id="no oracle ran"),
        pytest.param([UNSURE, SEES, {**ORACLE, "got": "inconclusive", "passed": False}], id="an oracle did not win"),
        pytest.param([UNSURE, {**SEES, "dataset": "other"}], id="an oracle of another dataset"),
        pytest.param([{**UNSURE, "got": "beats"}, SEES], id="noise wins"),
        pytest.param([{**UNSURE, "got": "loses", "passed": True}, SEES], id="noise loses"),
        pytest.param([{**UNSURE, "control": "identity_copy"}, SEES], id="a copy"),
        pytest.param([{**UNSURE, "expected": "fails", "got": "passes"}, SEES], id="a dead model passes"),
    ],
)
def test_anything_else_is_none(controls):
    """It stays what it is, as it should be or broken."""
    assert find(controls) == {}


FULL = {**ORACLE, "got": "no room", "passed": False}


def test_a_baseline_as_good_as_the_labels_is_found():
    """An oracle with no room left breaks nothing; noise by another metric counts only if some oracle won."""
    known = find([FULL])
    assert list(known) == [("lab", "hvg", "nmi")]
    assert "as good by nmi as the labels themselves" in known["lab", "hvg", "nmi"]
    assert (annotate(FULL, known)["passed"], annotate(FULL, known)["too_little"]) == (True, True)
    noise = {**UNSURE, "metric": "asw"}
    assert ("lab", "hvg", "asw") not in find([FULL, noise])
    assert ("lab", "hvg", "asw") in find([FULL, noise, {**SEES, "metric": "ari"}])
    assert find([FULL, {**SEES, "metric": "ari", "got": "loses", "passed": False}]) == {}


def test_only_what_is_unsure_is_excused():
    """A dead model that wins in the same test still breaks the gate."""
    wins = {**NOISE, "got": "beats", "passed": False}
    known = find([{**UNSURE, "control": "shuffled"}, SEES])
    assert annotate({**UNSURE, "control": "shuffled"}, known)["passed"]
    assert not annotate(wins, known)["passed"]
    assert [annotate(each, known)["too_little"] for each in (UNSURE, wins, SEES)] == [True, False, False]
    assert not annotate({**UNSURE, "baseline": "pca"}, known)["passed"]


def test_only_a_pass_in_such_a_test_is_withdrawn():
    """What did not pass stands as it is, and so does what lies elsewhere."""
    known = find([UNSURE, SEES])
    changed = withdraw({**VERDICT, "sentence": "mine beats hvg"}, known)
    assert (changed["passed"], changed["outcome"]) == (False, "inconclusive")
    assert changed["sentence"].startswith("mine beats hvg; on lab hvg cannot be told")
    assert changed["reason"] == known["lab", "hvg", "nmi"]
    for other in ({**VERDICT, "passed": False, "outcome": "loses"}, {**VERDICT, "metric": "asw"}):
        assert withdraw(other, known) == other

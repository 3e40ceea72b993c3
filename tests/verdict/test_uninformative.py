"""Blind spots: noise that is merely not shown to lose is the dataset's doing only where the oracle wins."""

from __future__ import annotations

import pytest

from zsgate.verdict.uninformative import marked, spots, uncounted

NOISE = {"control": "noise", "dataset": "lab", "baseline": "hvg", "metric": "nmi", "expected": "loses"}
ORACLE = {"control": "oracle", "dataset": "lab", "baseline": "hvg", "metric": "nmi", "expected": "beats"}
SEES = {**ORACLE, "got": "beats", "passed": True}
UNSURE = {**NOISE, "got": "inconclusive", "passed": False}
VERDICT = {"dataset": "lab", "baseline": "hvg", "metric": "nmi", "passed": True, "outcome": "beats", "reason": ""}


def test_noise_that_is_not_told_apart_is_a_spot():
    """By dataset, baseline and metric, in one sentence."""
    (spot, said), *rest = spots([UNSURE, SEES]).items()
    assert (spot, rest) == (("lab", "hvg", "nmi"), [])
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
    assert spots(controls) == {}


FULL = {**ORACLE, "got": "no room", "passed": False}


def test_a_baseline_as_good_as_the_labels_is_a_spot():
    """An oracle with no room left breaks nothing; noise elsewhere is a spot only if some oracle won."""
    known = spots([FULL])
    assert list(known) == [("lab", "hvg", "nmi")]
    assert "as good by nmi as the labels themselves" in known["lab", "hvg", "nmi"]
    assert (marked(FULL, known)["passed"], marked(FULL, known)["too_little"]) == (True, True)
    noise = {**UNSURE, "metric": "asw"}
    assert ("lab", "hvg", "asw") not in spots([FULL, noise])
    assert ("lab", "hvg", "asw") in spots([FULL, noise, {**SEES, "metric": "ari"}])
    assert spots([FULL, {**SEES, "metric": "ari", "got": "loses", "passed": False}]) == {}


def test_only_what_is_unsure_is_excused():
    """A dead model that wins in the same spot still breaks the gate."""
    wins = {**NOISE, "got": "beats", "passed": False}
    known = spots([{**UNSURE, "control": "shuffled"}, SEES])
    assert marked({**UNSURE, "control": "shuffled"}, known)["passed"]
    assert not marked(wins, known)["passed"]
    assert [marked(each, known)["too_little"] for each in (UNSURE, wins, SEES)] == [True, False, False]
    assert not marked({**UNSURE, "baseline": "pca"}, known)["passed"]


def test_only_a_pass_in_a_spot_is_taken_back():
    """What did not pass stands as it is, and so does what lies elsewhere."""
    known = spots([UNSURE, SEES])
    changed = uncounted({**VERDICT, "sentence": "mine beats hvg"}, known)
    assert (changed["passed"], changed["outcome"]) == (False, "inconclusive")
    assert changed["sentence"].startswith("mine beats hvg; on lab hvg cannot be told")
    assert changed["reason"] == known["lab", "hvg", "nmi"]
    for other in ({**VERDICT, "passed": False, "outcome": "loses"}, {**VERDICT, "metric": "asw"}):
        assert uncounted(other, known) == other

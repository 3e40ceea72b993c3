"""Uninformative tests: noise that is only not shown to lose breaks no gate where the oracle wins."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from zsgate.report.record import ControlRecord, Outcome, VerdictRecord
from zsgate.verdict.uninformative import annotate, find, withdraw

PLACE = {"dataset": "lab", "baseline": "hvg", "metric": "nmi"}
SEES = ControlRecord(nodeid="c", control="oracle", expected="beats", got="beats", passed=True, **PLACE)
UNSURE = ControlRecord(nodeid="c", control="noise", expected="loses", got="inconclusive", passed=False, **PLACE)
FULL = replace(SEES, got="no room", passed=False)
VERDICT = VerdictRecord(
    nodeid="v",
    model="mine",
    ours=0.6,
    theirs=0.5,
    difference=0.1,
    outcome=Outcome.BEATS,
    passed=True,
    sentence="mine beats hvg",
    **PLACE,
)


def test_noise_that_is_not_shown_to_lose_is_found():
    """By dataset, baseline and metric, in one sentence."""
    (test, said), *rest = find([UNSURE, SEES]).items()
    assert (test, rest) == (("lab", "hvg", "nmi"), [])
    assert said.startswith("on lab hvg cannot be told from pure noise by nmi (too few cells or donors, or a baseline")


@pytest.mark.parametrize(
    "controls",
    [
        pytest.param([UNSURE], id="no oracle ran"),
        pytest.param([UNSURE, SEES, replace(SEES, got="inconclusive", passed=False)], id="an oracle did not win"),
        pytest.param([UNSURE, replace(SEES, dataset="other")], id="an oracle of another dataset"),
        pytest.param([replace(UNSURE, got="beats"), SEES], id="noise wins"),
        pytest.param([replace(UNSURE, got="loses", passed=True), SEES], id="noise loses"),
        pytest.param([replace(UNSURE, expected="fails", got="passes"), SEES], id="a dead model passes"),
    ],
)
def test_anything_else_is_none(controls):
    """It stays what it is, as it should be or broken."""
    assert find(controls) == {}


def test_a_baseline_as_good_as_the_labels_is_found():
    """An oracle with no room left breaks nothing; noise by another metric counts only if some oracle won."""
    known = find([FULL])
    assert list(known) == [("lab", "hvg", "nmi")]
    assert "as good by nmi as the labels themselves" in known["lab", "hvg", "nmi"]
    assert annotate(FULL, known) == replace(FULL, passed=True, too_little=True)
    noise = replace(UNSURE, metric="asw")
    assert ("lab", "hvg", "asw") not in find([FULL, noise])
    assert ("lab", "hvg", "asw") in find([FULL, noise, replace(SEES, metric="ari")])
    assert find([FULL, replace(SEES, metric="ari", got="loses", passed=False)]) == {}


def test_only_what_is_unsure_is_excused():
    """A dead model that wins in the same test still breaks the gate."""
    shuffled, wins = replace(UNSURE, control="shuffled"), replace(UNSURE, got="beats")
    known = find([shuffled, SEES])
    assert annotate(shuffled, known).passed
    assert not annotate(wins, known).passed
    assert [annotate(each, known).too_little for each in (UNSURE, wins, SEES)] == [True, False, False]
    assert not annotate(replace(UNSURE, baseline="pca"), known).passed


def test_only_a_pass_in_such_a_test_is_withdrawn():
    """What did not pass stands as it is, and so does what lies elsewhere."""
    known = find([UNSURE, SEES])
    said = known["lab", "hvg", "nmi"]
    changed = withdraw(VERDICT, known)
    assert (changed.passed, changed.outcome) == (False, Outcome.INCONCLUSIVE)
    assert changed.sentence.startswith("mine beats hvg; on lab hvg cannot be told")
    assert (changed.reason, changed.withdrawn) == (said, said)
    assert withdraw(replace(VERDICT, reason="why"), known).reason == f"why; {said}"
    lost = replace(VERDICT, passed=False, outcome=Outcome.LOSES)
    for other in (lost, *(replace(VERDICT, **{name: "asw"}) for name in PLACE)):
        assert withdraw(other, known) == other
        assert not withdraw(other, known).withdrawn


def test_a_copy_that_is_not_shown_to_lose_is_found_without_an_oracle():
    """It is judged on genes, so whether an oracle of cell types won says nothing of it."""
    copy = replace(UNSURE, control="identity_copy")
    (said,) = find([copy]).values()
    assert "hvg cannot be told from a copy of what is shown by nmi" in said
    assert annotate(copy, find([copy])).passed
    assert find([replace(copy, got="beats")]) == {}


def test_a_control_of_an_advisory_metric_withdraws_what_that_metric_says():
    """It breaks no gate, and nothing that the metric says counts."""
    wrong = replace(UNSURE, got="beats", advisory=True, sentence="noise beats hvg")
    known = find([wrong, SEES])
    assert known == {("lab", "hvg", "nmi"): "on lab nmi cannot be used: noise beats hvg"}
    assert withdraw(replace(VERDICT, advisory=True), known).withdrawn
    assert find([replace(wrong, advisory=False), SEES]) == {}

"""Shards: what is merged is the whole run or no pass, whatever is dropped, repeated or altered."""

from __future__ import annotations

from dataclasses import replace as with_fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from zsgate.errors import UsageProblem
from zsgate.report.record import (
    CheckRecord,
    ControlRecord,
    DatasetRecord,
    FailureRecord,
    GateState,
    ModelCard,
    Outcome,
    Provenance,
    RecipeRecord,
    Record,
    SelectionRecord,
    VerdictRecord,
    WaiverRecord,
    WaiverTerms,
)
from zsgate.verdict import holm
from zsgate.verdict.gate.merge import Whole, merge
from zsgate.verdict.gate.outcome import decide
from zsgate.verdict.gate.shard import Shard, findings

NAMES = ("lab", "clinic", "atlas")
ALL = Whole(datasets=NAMES)
TERMS = {"match": "*-hvg-nmi", "reason": "known", "owner": "Ada", "expires": "2027-01-31", "max_deficit": 0.2}


def verdict(dataset: str, baseline: str, outcome: str = "beats", **rest) -> VerdictRecord:
    """Return a verdict that passes if it beats, unless something else is said."""
    fields = {
        "nodeid": f"test_cell_type_clustering.py::test_separates[{dataset}-{baseline}-nmi]",
        "model": "mine", "dataset": dataset, "metric": "nmi", "baseline": baseline, "ours": 0.5, "theirs": 0.4,
        "difference": 0.1 if outcome == "beats" else -0.1, "passed": outcome == "beats", "p": 0.01 + len(dataset) / 100,
    }  # fmt: skip
    return VerdictRecord(outcome=Outcome(outcome), **(fields | rest))


def control(dataset: str, *, passed: bool = True) -> ControlRecord:
    return ControlRecord(
        nodeid=f"test_controls.py::test_gets[{dataset}-noise-hvg-nmi]", control="noise", dataset=dataset, metric="nmi",
        baseline="hvg", expected="loses", got="loses" if passed else "beats", passed=passed, sentence="noise beats hvg",
    )  # fmt: skip


def settled(record: Record) -> Record:
    """Return a record whose gate and exit code are what its findings come to, as a run writes it."""
    outcome = decide(findings(record))
    source = replace(record.provenance, exit_code=outcome.exit_code, exit_reason=outcome.reason)
    return replace(record, gate=outcome.state, provenance=source)


def shard(dataset: str, *verdicts: VerdictRecord, n_due: int = 0, **rest) -> Shard:
    """Return the shard of one dataset; without verdicts it has two that pass."""
    judged = verdicts or (verdict(dataset, "hvg"), verdict(dataset, "pca"))
    n = n_due or len(judged)
    source = Provenance(
        zsgate="1", git="abc1234", started="2026-11-22T14:00:00+00:00", seconds=10.0, options={"datasets": dataset}
    )
    fields = {
        "model": "mine",
        "model_card": ModelCard(name="mine", weights=(("model.pt", "0" * 64),)),
        "recipe": RecipeRecord(id="default", hash="1a2b"),
        "selection": SelectionRecord(n_due=n, n_selected=n, datasets=NAMES),
        "verdicts": judged,
        "controls": (control(dataset),),
        "datasets": (DatasetRecord(name=dataset),),
        "provenance": source,
    }
    return Shard(f"{dataset}.json", settled(Record(gate=GateState.PASSED, **(fields | rest))))


def passing() -> list[Shard]:
    return [shard(name) for name in NAMES]


def altered(part: Shard, **fields) -> Shard:
    """Return a shard whose record has other fields, settled anew."""
    return with_fields(part, record=settled(replace(part.record, **fields)))


def sourced(part: Shard, **fields) -> Shard:
    """Return a shard with another provenance."""
    return with_fields(part, record=replace(part.record, provenance=replace(part.record.provenance, **fields)))


def test_all_shards_together_pass():
    """Whatever their order: verdicts in the order asked for, p adjusted over all of them, the exit code of a pass."""
    lab, clinic, atlas = passing()
    record = merge([atlas, lab, clinic], ALL)

    assert (record.gate, record.provenance.exit_code) == ("passed", 0)
    assert [each.dataset for each in record.verdicts] == ["lab", "lab", "clinic", "clinic", "atlas", "atlas"]
    assert [each.name for each in record.datasets] == list(NAMES)
    expected = holm.adjusted([v.p for v in record.verdicts], [v.baseline for v in record.verdicts])
    assert [v.p_holm for v in record.verdicts] == expected
    assert (record.selection.n_due, record.selection.n_selected) == (6, 6)
    assert record.provenance.options["datasets"] == "lab, clinic, atlas"
    assert record.provenance.seconds == 30.0


@pytest.mark.parametrize("outcome", ["loses", "inconclusive"])
def test_what_one_shard_misses_the_run_misses(outcome):
    """The state and exit code are those of a run that found the same."""
    parts = [shard("lab"), shard("clinic", verdict("clinic", "hvg", outcome)), shard("atlas")]
    record = merge(parts, ALL)

    assert (record.gate, record.provenance.exit_code) == (parts[1].record.gate, 1)


def test_what_breaks_one_shard_breaks_the_run():
    """A control, a baseline, or something that only the reason tells of."""
    lab, clinic, atlas = passing()
    wrong = altered(clinic, controls=(control("clinic", passed=False),))
    failed = altered(clinic, failures=(FailureRecord(nodeid="x", what="baseline", message="scvi: loss is nan"),))
    crashed = with_fields(clinic, record=replace(clinic.record, gate=GateState.BROKE))
    crashed = sourced(crashed, exit_code=3, exit_reason="worker gw1 did not end cleanly")
    for part, said in ((wrong, "noise beats hvg"), (failed, "loss is nan"), (crashed, "did not end cleanly")):
        record = merge([lab, part, atlas], ALL)
        assert (record.gate, record.provenance.exit_code) == ("broke", 3)
        assert said in record.provenance.exit_reason


def test_a_missing_shard_breaks_the_run():
    """By the names asked for, by their number, by what the project judges on, by what a shard's command asked for."""
    lab, clinic, atlas = passing()
    ways = (
        ([lab, atlas], ALL, "no shard judged on clinic"),
        ([lab, atlas], Whole(n_shards=3), "2 shards, and 3 were to be"),
        ([lab, atlas], Whole(), "no shard judged on clinic"),
        ([lab, sourced(atlas, options={"datasets": "atlas, clinic"})], Whole(n_shards=2), "no shard judged on clinic"),
        ([lab, clinic, atlas, shard("other")], ALL, "other was judged on and is not among"),
        ([lab, clinic, clinic, atlas], ALL, "clinic is in 2 shards"),
    )
    for parts, whole, said in ways:
        record = merge(parts, whole)
        assert (record.gate, record.provenance.exit_code) == ("broke", 3), said
        assert record.provenance.exit_reason.startswith("incomplete: ")
        assert said in record.provenance.exit_reason
        assert len({each.nodeid for each in record.verdicts}) == len(record.verdicts)


@pytest.mark.parametrize(
    ("gate", "code", "said"),
    [("running", None, "was started and has not finished"), ("interrupted", 2, "was interrupted")],
)
def test_an_unfinished_shard_breaks_the_run(gate, code, said):
    """A shard that was cancelled says nothing, with or without results."""
    lab, clinic, atlas = passing()
    stopped = sourced(with_fields(clinic, record=replace(clinic.record, gate=GateState(gate))), exit_code=code)
    bare = Record(gate=GateState(gate), model="mine", provenance=stopped.record.provenance)
    for part in (stopped, Shard("clinic.json", bare)):
        record = merge([lab, part, atlas], ALL)
        assert (record.gate, record.provenance.exit_code) == ("broke", 3)
        assert said in record.provenance.exit_reason


def test_a_shard_that_could_not_start_breaks_the_run():
    """Nothing else is known of it, so nothing else is compared; the reason is said."""
    lab, clinic, atlas = passing()
    source = replace(clinic.record.provenance, exit_code=4, exit_reason="clinic.h5ad: no such file")
    part = Shard("clinic.json", Record(gate=GateState.UNUSABLE, model="mine", provenance=source))
    record = merge([part, lab, atlas], ALL)

    assert (record.gate, record.model) == ("broke", "mine")
    assert "no such file" in record.provenance.exit_reason


FOREIGN = {
    "the commit": lambda part: sourced(part, git="def5678"),
    "no commit": lambda part: sourced(part, git=None),
    "the version of zsgate": lambda part: sourced(part, zsgate="2"),
    "the model": lambda part: altered(part, model="theirs"),
    "the weights": lambda part: altered(part, model_card=ModelCard(name="mine", weights=(("model.pt", "f" * 64),))),
    "the card of the model": lambda part: altered(part, model_card=replace(part.record.model_card, dimensions=3)),
    "the recipe": lambda part: altered(part, recipe=RecipeRecord(id="default", hash="ffff")),
    "the policy": lambda part: altered(part, policy="point"),
    "the settings": lambda part: sourced(part, options={"datasets": "atlas", "margin": "0.5"}),
    "the waivers": lambda part: altered(part, waivers=(WaiverRecord(**TERMS),)),
    "the code of conftests": lambda part: sourced(part, plugins={"conftest.py": "sha256 beef"}),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_shard_of_another_run_is_refused(what):
    """Which of them, and in what they differ, is said."""
    lab, clinic, atlas = [sourced(part, plugins={"conftest.py": "sha256 1234"}) for part in passing()]
    strange = FOREIGN[what](atlas)
    with pytest.raises(UsageProblem, match="the shards are not of one run: ") as refused:
        merge([lab, clinic, strange], ALL)
    assert what.removeprefix("no ").removeprefix("the ") in str(refused.value)


def test_paths_of_one_project_may_differ():
    """Runners check the same project out in folders of their own."""
    settings = [
        {"settings_file": f"/{place}/pyproject.toml", "options": {"waiver": f"/{place}/x", "cache": place}}
        for place in ("one/work", "other/work", "third")
    ]
    parts = [sourced(part, **each) for part, each in zip(passing(), settings, strict=True)]
    assert merge(parts, ALL).gate == "passed"


def damaged(part: Shard) -> list[tuple[Shard, str]]:
    record = part.record
    twice = replace(record, verdicts=record.verdicts + record.verdicts[:1])
    lost = replace(record, verdicts=(verdict("atlas", "hvg", "loses"), *record.verdicts[1:]))
    return [
        (with_fields(part, record=twice), "two verdicts are of one test"),
        (with_fields(part, record=lost), "it says passed, exit 0, and what it found comes to lost, exit 1"),
        (sourced(part, exit_code=3), "it says passed, exit 3"),
        (sourced(part, started="yesterday"), "'yesterday' is no date"),
        (with_fields(part, record=replace(record, datasets=())), "which it did not judge on"),
        (with_fields(part, record=replace(record, selection=SelectionRecord())), "more tests than it selected"),
    ]


@pytest.mark.parametrize("case", range(6))
def test_a_record_that_contradicts_itself_is_refused(case):
    """No run writes it, so nothing in it is believed."""
    lab, clinic, atlas = passing()
    part, said = damaged(atlas)[case]
    with pytest.raises(UsageProblem, match=r"atlas\.json is damaged: ") as refused:
        merge([lab, clinic, part], ALL)
    assert said in str(refused.value)


def test_a_verdict_that_was_taken_out_is_missed():
    """A passed shard has a result of each test that it selected."""
    lab, clinic, atlas = passing()
    less = with_fields(atlas, record=replace(atlas.record, verdicts=atlas.record.verdicts[:1]))
    record = merge([lab, clinic, less], ALL)
    assert (record.gate, record.provenance.exit_code) == ("broke", 3)
    assert "1 selected tests of atlas.json gave no result" in record.provenance.exit_reason


def test_checks_are_results():
    """An invariance test leaves a check and no verdict; those that no test left come first, as in a run."""
    check = CheckRecord(nodeid="test_invariances.py::test_rows[atlas]", dataset="atlas", check="in another order")
    loose = CheckRecord(dataset="atlas", check="in another shard")
    part = shard("atlas", verdict("atlas", "hvg"), n_due=2, checks=(loose, check))
    record = merge([shard("lab", checks=(replace(loose, dataset="lab"),)), shard("clinic"), part], ALL)
    assert record.gate == "passed"
    assert [bool(each.nodeid) for each in record.checks] == [False, False, True]


def test_a_waiver_that_no_shard_needs_fails_the_run():
    """Each shard alone cannot know, as others may need it; together they can, as the whole run does."""
    waiver = WaiverRecord(**TERMS, state="not needed by this run")
    parts = [altered(part, waivers=(waiver,)) for part in passing()]
    assert {part.record.gate for part in parts} == {"passed"}
    record = merge(parts, ALL)
    assert (record.gate, record.provenance.exit_code) == ("lost", 1)
    assert [each.state for each in record.waivers] == ["no longer needed"]


def test_a_waiver_that_one_shard_needs_is_in_force():
    """The others pass without it."""
    waiver = WaiverRecord(**TERMS, state="not needed by this run")
    excused = verdict("lab", "hvg", "loses", waiver=WaiverTerms(**TERMS))
    needs = shard("lab", excused, waivers=(replace(waiver, state="in force", tests=1),))
    record = merge([needs, *(altered(part, waivers=(waiver,)) for part in passing()[1:])], ALL)
    assert (record.gate, record.provenance.exit_code) == ("waived", 0)
    assert [(each.state, each.tests) for each in record.waivers] == [("in force", 1)]


def test_failed_tests_beside_the_gate_fail_the_run():
    """A shard may exit with 1 although its gate passed; so does the run."""
    lab, clinic, atlas = passing()
    record = merge([lab, sourced(clinic, exit_code=1, exit_reason="3 tests beside the gate's failed"), atlas], ALL)
    assert (record.gate, record.provenance.exit_code) == ("passed", 1)
    assert "clinic.json" in record.provenance.exit_reason


def test_uncommitted_changes_are_said():
    """Two folders with the same commit and changes need not be the same."""
    record = merge([sourced(part, git="abc1234-dirty") for part in passing()], ALL)
    assert any("abc1234-dirty" in caveat for caveat in record.caveats)


def test_nothing_is_no_run():
    """No shards at all are refused."""
    with pytest.raises(UsageProblem, match="no shards"):
        merge([], ALL)


LESS = {
    "drop": lambda parts, i: parts[:i] + parts[i + 1 :],
    "repeat": lambda parts, i: [*parts, parts[i]],
    "rename": lambda parts, i: [*parts[:i], shard("other"), *parts[i + 1 :]],
    "take out": lambda parts, i: [
        *parts[:i],
        with_fields(parts[i], record=replace(parts[i].record, verdicts=parts[i].record.verdicts[1:])),
        *parts[i + 1 :],
    ],
    **{
        what: lambda parts, i, change=change: [*parts[:i], change(parts[i]), *parts[i + 1 :]]
        for what, change in FOREIGN.items()
    },
    **{
        f"damage {case}": lambda parts, i, case=case: [*parts[:i], damaged(parts[i])[case][0], *parts[i + 1 :]]
        for case in range(6)
    },
}


@given(st.lists(st.tuples(st.sampled_from(sorted(LESS)), st.integers(0, 5)), min_size=1, max_size=3), st.randoms())
def test_shards_that_were_tampered_with_never_pass(changes, random):
    """However shards are dropped, repeated or altered, and in whatever order, the run does not pass."""
    parts = passing()
    for what, position in changes:
        if parts:
            parts = LESS[what](parts, position % len(parts))
    random.shuffle(parts)
    if len(parts) == len(NAMES) and all(part in parts for part in passing()):  # what was repeated was dropped again
        return
    try:
        record = merge(parts, ALL)
    except UsageProblem:
        return
    assert record.gate not in ("passed", "waived")
    assert record.provenance.exit_code not in (0, None)


@given(
    st.lists(
        st.lists(st.sampled_from(["beats", "loses", "inconclusive"]), min_size=1, max_size=4), min_size=3, max_size=3
    )
)
def test_shards_come_to_what_the_run_comes_to(outcomes):
    """For any outcomes: state, exit code and adjusted p-values are those of one run of all verdicts."""
    judged = [
        tuple(verdict(name, f"b{i}", outcome, p=0.01 * (i + 1)) for i, outcome in enumerate(some))
        for name, some in zip(NAMES, outcomes, strict=True)
    ]
    parts = [shard(name, *some) for name, some in zip(NAMES, judged, strict=True)]
    every = tuple(each for some in judged for each in some)
    whole = settled(replace(parts[0].record, verdicts=every, controls=tuple(map(control, NAMES))))
    record = merge(parts, ALL)

    assert (record.gate, record.provenance.exit_code) == (whole.gate, whole.provenance.exit_code)
    assert record.provenance.exit_reason == whole.provenance.exit_reason
    adjusted = holm.adjusted([each.p for each in every], [each.baseline for each in every])
    assert record.verdicts == tuple(replace(each, p_holm=p) for each, p in zip(every, adjusted, strict=True))

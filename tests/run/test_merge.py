"""Shards: what is merged is the whole run or no pass, whatever is dropped, repeated or altered."""

from __future__ import annotations

from dataclasses import replace as with_fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_shards import (
    ALL,
    FOREIGN,
    LESS,
    NAMES,
    TERMS,
    altered,
    control,
    damaged,
    passing,
    settled,
    shard,
    sourced,
    verdict,
)
from msgspec.structs import replace

from zsgate.errors import UsageProblem
from zsgate.report.record import (
    CheckRecord,
    FailureRecord,
    GateState,
    Record,
    WaiverRecord,
    WaiverTerms,
)
from zsgate.run.findings.shards.merge import Whole, merge
from zsgate.run.findings.shards.shard import Shard
from zsgate.verdict import holm


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

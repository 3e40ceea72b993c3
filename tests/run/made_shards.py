"""Shards that pass, and what can be wrong with one: of another run, damaged, dropped, repeated."""

from __future__ import annotations

from dataclasses import replace as with_fields

from msgspec.structs import replace

from zsgate.report.record import (
    ControlRecord,
    DatasetRecord,
    GateState,
    ModelCard,
    Outcome,
    Provenance,
    RecipeRecord,
    Record,
    SelectionRecord,
    VerdictRecord,
    WaiverRecord,
)
from zsgate.run.findings.outcome import decide
from zsgate.run.findings.shards.merge import Whole
from zsgate.run.findings.shards.shard import Shard, findings

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
    "what left out tests": lambda part: altered(
        part, selection=replace(part.record.selection, n_due=9, left_out_by=("-k hvg",))
    ),
    "the waivers": lambda part: altered(part, waivers=(WaiverRecord(**TERMS),)),
    "the code of conftests": lambda part: sourced(part, plugins={"conftest.py": "sha256 beef"}),
}


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

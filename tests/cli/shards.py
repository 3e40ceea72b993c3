"""Records of shards that pass, as files, for tests of the commands that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from zsgate.report.record import (
    DatasetRecord,
    GateState,
    Outcome,
    Provenance,
    RecipeRecord,
    Record,
    ScoreRecord,
    SelectionRecord,
    VerdictRecord,
)

SOURCE = Provenance(
    zsgate="0.1.0", git="abc1234", started="2026-11-22T14:00:00+00:00", exit_code=0, exit_reason="every verdict passed"
)


def shard(dataset: str, **fields: Any) -> Record:
    """Return the record of a run on one dataset that passed."""
    verdict = VerdictRecord(
        nodeid=f"test_cell_type_clustering.py::test_separates[{dataset}-hvg-nmi]", model="mine", dataset=dataset,
        metric="nmi", baseline="hvg", ours=0.6, theirs=0.5, difference=0.1, ci=(0.05, 0.15), outcome=Outcome.BEATS,
        passed=True, p=0.01,
    )  # fmt: skip
    made = Record(
        gate=GateState.PASSED,
        model="mine",
        recipe=RecipeRecord(id="default", hash="1a2b"),
        selection=SelectionRecord(n_due=1, n_selected=1, datasets=("lab", "clinic")),
        verdicts=(verdict,),
        scores=(ScoreRecord(dataset=dataset, metric="nmi", value=0.6, draws=(0.6,), cells="a1"),),
        datasets=(DatasetRecord(name=dataset),),
        provenance=replace(SOURCE, options={"datasets": dataset}),
    )
    return replace(made, **fields)


def lost(dataset: str) -> Record:
    """Return the record of a run on one dataset that lost."""
    record = shard(dataset)
    (verdict,) = record.verdicts
    missed = replace(verdict, outcome=Outcome.LOSES, passed=False, difference=-0.1, ci=(-0.15, -0.05))
    return replace(record, gate=GateState.LOST, verdicts=(missed,), provenance=replace(record.provenance, exit_code=1))


def write(folder: Path, *records: Record) -> list[str]:
    """Write records as a workflow downloads them, ``shards/N/verdict.json``, and return the paths."""
    paths = []
    for position, record in enumerate(records):
        path = folder / "shards" / f"zsgate-shard-{position}" / "verdict.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record.to_json(), encoding="utf-8")
        paths.append(str(path))
    return paths

"""Sound verdict.json of runs that passed, lost or broke, whose changed copies are read."""

from __future__ import annotations

from functools import cache

import made_records
from made_shards import TERMS, settled
from msgspec.structs import replace

import zsgate
from zsgate.report.record import (
    ControlRecord,
    DatasetRecord,
    GateState,
    Outcome,
    Provenance,
    RecipeRecord,
    Record,
    ScoreRecord,
    SelectionRecord,
    VerdictRecord,
    WaiverRecord,
    WaiverTerms,
)
from zsgate.verdict.recipe import DEFAULT

BASELINES = ("hvg", "pca")
UNITS = tuple(f"donor {number}" for number in range(6))
SOURCE = Provenance(zsgate=zsgate.__version__, git="abc1234", started="2026-11-22T14:00:00+00:00", seconds=10.0)


@cache
def documents() -> dict[str, str]:
    """Return the text of each, by name."""
    waived = WaiverTerms(match=TERMS["match"], reason="known", owner="Ada", expires="2027-01-31", max_deficit=0.2)
    missed = _verdict("hvg", Outcome.LOSES)
    rich = made_records.sample()
    selection = SelectionRecord(n_due=len(rich.verdicts), n_selected=len(rich.verdicts), datasets=("pancreas_quick",))
    made = {
        "passing": _record(*map(_verdict, BASELINES)),
        "lost": _record(missed, _verdict("pca")),
        "waived": replace(
            _record(replace(missed, waiver=waived), _verdict("pca")),
            waivers=(WaiverRecord(**TERMS, state="used"),),
        ),
        "rich": replace(rich, selection=selection),
        "broken": replace(made_records.broken(), provenance=replace(SOURCE, exit_code=3, exit_reason="it broke")),
    }
    return {
        name: (record if record.gate is GateState.BROKE else settled(record)).to_json() for name, record in made.items()
    }


def _verdict(baseline: str, outcome: Outcome = Outcome.BEATS) -> VerdictRecord:
    sign = 1 if outcome is Outcome.BEATS else -1
    return VerdictRecord(
        nodeid=f"test_cell_type_clustering.py::test_separates[lab-{baseline}-nmi]", model="mine", dataset="lab",
        metric="nmi", baseline=baseline, ours=0.6, theirs=0.6 - 0.1 * sign, difference=0.1 * sign,
        ci=(0.1 * sign - 0.05, 0.1 * sign + 0.05), outcome=outcome, passed=sign > 0, p=0.01, p_holm=0.02, n_units=6,
    )  # fmt: skip


def _record(*verdicts: VerdictRecord) -> Record:
    score = ScoreRecord(
        dataset="lab", metric="nmi", value=0.6, draws=(0.55, 0.65), leave_outs=(0.6, 0.61, 0.57, 0.6, 0.62, None),
        units=UNITS, cells="then", recipe=str(DEFAULT), unit_halves=((0.6, 0.58),), balanced=0.59,
    )  # fmt: skip
    control = ControlRecord(
        nodeid="test_controls.py::test_gets[lab-noise-hvg-nmi]", control="noise", dataset="lab", metric="nmi",
        baseline="hvg", expected="loses", got="loses", passed=True, sentence="noise loses to hvg",
    )  # fmt: skip
    return Record(
        gate=GateState.PASSED,
        model="mine",
        recipe=RecipeRecord(id=DEFAULT.id, hash=DEFAULT.hash),
        selection=SelectionRecord(n_due=len(verdicts), n_selected=len(verdicts), datasets=("lab",)),
        verdicts=verdicts,
        scores=(score, replace(score, metric="asw")),
        controls=(control,),
        datasets=(DatasetRecord(name="lab", n_cells=240),),
        provenance=replace(SOURCE, options={"datasets": "lab"}),
    )

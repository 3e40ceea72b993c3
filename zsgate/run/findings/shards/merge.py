"""Merge: one record of the shards of a run, decided by the function that decides a run."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from zsgate.errors import UsageProblem, sentence
from zsgate.report.record import (
    GateState,
    Provenance,
    Record,
    ScoreRecord,
    SelectionRecord,
    VerdictRecord,
    WaiverRecord,
)
from zsgate.report.words import joined
from zsgate.run.findings.outcome import Outcome, decide
from zsgate.run.findings.settled import adjusted, in_order
from zsgate.run.findings.shards.shard import Shard, findings
from zsgate.run.findings.shards.together import absent, foreign
from zsgate.verdict.waiver import Waiver, review

T = TypeVar("T")
# what is merged by joining; an entry that several shards have, such as what is tested on no dataset, stands once
JOINED = (
    *("twins", "controls", "failures", "not_tested", "datasets", "coverage"),
    *("baselines", "metrics", "reconstruction", "maps", "timings", "caveats"),
)
DIRTY = (
    "The shards were started in folders with uncommitted changes ({}); that these were the same in each is not known."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What the shards are to be together.

    Attributes
    ----------
    datasets
        Names of the datasets that were to be judged on, in the order of the record; None takes what the project
        judges on.
    n_shards
        Number of shards; None counts none.
    tier
        The tier that was asked for; empty where datasets are named.
    command
        What was typed, for the record.
    """

    datasets: tuple[str, ...] | None = None
    n_shards: int | None = None
    tier: str = ""
    command: str = ""


def merge(shards: Sequence[Shard], whole: Whole) -> Record:
    """Return the record of the run that shards are parts of.

    It is the one of the run without shards: verdicts in the order of the datasets, p-values adjusted over all of
    them, waivers reviewed against all of them.

    Parameters
    ----------
    shards
        Records of runs of the same gate, each on other datasets.
    whole
        What they are to be together. What is missing breaks the gate.

    Raises
    ------
    UsageProblem
        If a record contradicts itself, or two of them are not of one run: another commit, model, recipe or setting.
    """
    if not shards:
        msg = "no shards to merge"
        raise UsageProblem(msg)
    for shard in shards:
        if words := shard.damage():
            msg = f"{shard.name} is damaged: {sentence(words)}"
            raise UsageProblem(msg)
    if words := foreign(shards):
        msg = f"the shards are not of one run: {words}"
        raise UsageProblem(msg)
    ordered = _ordered(shards, whole)
    record = _settled(_joined(ordered), ordered)
    faults = (*filter(None, (shard.fault() for shard in ordered)), *absent(ordered, whole.datasets, whole.n_shards))
    others = [shard.name for shard in ordered if shard.other_tests_failed]
    outcome = decide(findings(record, faults, len(others)))
    if others and outcome.state in (GateState.PASSED, GateState.WAIVED):  # a record does not say how many failed
        outcome = Outcome(outcome.state, outcome.exit_code, f"tests beside the gate's failed in {joined(others)}")
    return replace(
        record, gate=outcome.state, tier=whole.tier or record.tier, provenance=_from(ordered, whole, outcome)
    )


def _ordered(shards: Sequence[Shard], whole: Whole) -> list[Shard]:
    """Return the shards in the order in which a run judges on their datasets."""
    order = whole.datasets or next((s.record.selection.datasets for s in shards if not s.is_bare), ())
    place = {name: position for position, name in enumerate(order)}
    return sorted(shards, key=lambda shard: min((place.get(name, len(place)) for name in shard.datasets), default=0))


def _joined(shards: Sequence[Shard]) -> Record:
    """Return a record that holds what every shard found, once."""
    records = [shard.record for shard in shards]
    known = next((shard.record for shard in shards if not shard.is_bare), records[0])
    fields = {name: tuple(_once(chain.from_iterable(getattr(r, name) for r in records))) for name in JOINED}
    dirty = known.provenance.git or ""
    if dirty.endswith("-dirty") and len(records) > 1:
        fields["caveats"] += (DIRTY.format(dirty),)
    chosen = [record.selection for record in records]
    n_due, n_selected = sum(each.n_due for each in chosen), sum(each.n_selected for each in chosen)
    by = tuple(_once(chain.from_iterable(each.left_out_by for each in chosen)))
    usual = known.selection.datasets
    verdicts = tuple(_first(chain.from_iterable(record.verdicts for record in records)))
    return replace(
        known,
        **fields,
        selection=SelectionRecord(n_due=n_due, n_selected=n_selected, left_out_by=by, datasets=usual),
        verdicts=verdicts,
        scores=_scores(verdicts, chain.from_iterable(record.scores for record in records)),
        checks=tuple(sorted(chain.from_iterable(r.checks for r in records), key=lambda check: bool(check.nodeid))),
    )


def _settled(record: Record, shards: Sequence[Shard]) -> Record:
    """Return a record with what takes all verdicts: adjusted p-values, and what became of waivers."""
    verdicts = tuple(adjusted(record.verdicts))
    every = all(shard.n_judged >= shard.record.selection.n_due for shard in shards)
    waivers = [_waiver(waiver) for waiver in record.waivers]
    today, usual = max(shard.day for shard in shards), record.selection.datasets
    reviewed = review(waivers, verdicts, today, whole=every, datasets=usual)
    return replace(record, verdicts=verdicts, waivers=reviewed)


def _waiver(record: WaiverRecord) -> Waiver:
    """Return the waiver of which a record says what became."""
    return Waiver(
        match=record.match,
        reason=record.reason,
        owner=record.owner,
        expires=date.fromisoformat(record.expires),
        max_deficit=float("inf") if record.max_deficit is None else record.max_deficit,
    )


def _scores(verdicts: Iterable[VerdictRecord], scores: Iterable[ScoreRecord]) -> tuple[ScoreRecord, ...]:
    """Return scores, each once, in the order of a run."""
    known: dict[tuple[str, str], ScoreRecord] = {}
    for score in scores:
        known.setdefault((score.dataset, score.metric), score)
    return tuple(in_order(known, verdicts).values())


def _first(verdicts: Iterable[VerdictRecord]) -> Iterable[VerdictRecord]:
    """Return one verdict a test, the first: a dataset that is there twice breaks the gate, and is shown once."""
    found: dict[str, VerdictRecord] = {}
    for verdict in verdicts:
        found.setdefault(verdict.nodeid, verdict)
    return found.values()


def _once(entries: Iterable[T]) -> list[T]:
    """Return entries without those that are there already."""
    keyed: dict[Hashable, T] = {}
    for entry in entries:
        keyed.setdefault(msgspec.json.encode(entry), entry)
    return list(keyed.values())


def _from(shards: Sequence[Shard], whole: Whole, outcome: Outcome) -> Provenance:
    """Return what the shards ran on together: equal versions once, different ones side by side."""
    sources = [shard.record.provenance for shard in shards]
    first = next((s.record.provenance for s in shards if not s.is_bare), sources[0])
    named = _values([source.options for source in sources])
    if asked := [name for shard in shards for name in shard.asked]:
        named["datasets"] = ", ".join(dict.fromkeys(asked))
    return replace(
        first,
        python=_beside(source.python for source in sources),
        platform=_beside(source.platform for source in sources),
        device=_beside(source.device for source in sources),
        packages=_values([source.packages for source in sources]),
        command=whole.command,
        started=min(source.started for source in sources),
        seconds=round(sum(source.seconds or 0.0 for source in sources), 1),
        options=named,
        plugins=_values([source.plugins for source in sources]),
        exit_code=outcome.exit_code,
        exit_reason=outcome.reason,
    )


def _values(tables: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return the values of several tables by key, different ones side by side."""
    keys = _once(chain.from_iterable(tables))
    return {key: _beside(table.get(key, "") for table in tables) for key in keys}


def _beside(values: Iterable[str]) -> str:
    return joined([value for value in dict.fromkeys(values) if value])

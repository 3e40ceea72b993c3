"""The record of a run, put together from what was asked, found and decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from zsgate.data.leakage.exposure import sentences
from zsgate.metrics import EVERY
from zsgate.metrics.metric import MetricLike
from zsgate.models.pretrained.coverage import GeneCoverage
from zsgate.report.record import (
    BaselineRecord,
    CheckRecord,
    CoverageRecord,
    GateState,
    MetricRecord,
    ModelCard,
    RecipeRecord,
    Record,
    SelectionRecord,
)
from zsgate.run import datasets
from zsgate.run.before.validate import not_tested
from zsgate.run.checks.imported import NOTE
from zsgate.run.findings.gathered import Gathered
from zsgate.run.findings.maps import maps
from zsgate.run.findings.outcome import Outcome
from zsgate.run.findings.provenance import Start
from zsgate.run.run import Run

QUICK_CAVEAT = "The quick tier has 1,500 cells of one dataset. It shows that a gate works; it does not clear a release."
_FOREIGN = "A conftest or plugin marks tests of the gate {}: that does not count."
STOPPED = (GateState.INTERRUPTED, GateState.INCOMPLETE)  # nobody waits for pictures then
Notes = Mapping[tuple[str, str], Mapping[str, object]]  # of embeddings, by who made it and dataset


def record(run: Run, results: Gathered, outcome: Outcome, selection: SelectionRecord, start: Start) -> Record:
    """Return the record of a run that came to an end.

    Parameters
    ----------
    run
        The run.
    results
        What its tests found.
    outcome
        What it comes to.
    selection
        What was selected of its tests.
    start
        When and how it was started.
    """
    from zsgate.models.adapter import as_builtins

    verdicts, recipe, notes = tuple(results.verdicts.values()), run.recipe, _notes(results)
    who, metrics = run.candidate.name, dict.fromkeys(verdict.metric for verdict in verdicts)
    return Record(
        gate=outcome.state,
        model=who,
        model_card=ModelCard(**as_builtins(run.candidate.model.info)),
        recipe=RecipeRecord(id=recipe.id, hash=recipe.hash, settings=recipe.as_dict()),
        tier=run.config.judged_tier,
        policy=run.config.policy,  # type: ignore[arg-type]
        selection=selection,
        verdicts=verdicts,
        scores=tuple(results.scores.values()),
        checks=(*_checks(notes, who), *chain.from_iterable(results.checks.values())),
        twins=tuple(results.twins[name] for name in run.sources if name in results.twins),
        waivers=results.waivers,
        controls=tuple(results.controls.values()),
        failures=tuple(results.failures.values()),
        not_tested=tuple(not_tested(run)),
        datasets=tuple(datasets.record(run.dataset(name), run.exposure(name)) for name in run.sources),
        coverage=tuple(map(_coverage, run.coverage)),
        baselines=tuple(
            BaselineRecord(name=each, dataset=dataset, notes=dict(said))
            for (each, dataset), said in notes.items()
            if each != who
        ),
        metrics=tuple(_metric(EVERY[name]) for name in metrics),
        reconstruction=tuple(run.reconstructed(verdicts)),
        maps=() if outcome.state in STOPPED else tuple(maps(run, verdicts)),
        timings=tuple(results.timings),
        caveats=(*_caveats(run, notes), *map(_FOREIGN.format, results.marks)),
        provenance=start.provenance(outcome, run.config),
    )


def _metric(metric: MetricLike) -> MetricRecord:
    hidden = "hidden " if getattr(metric, "masked", 0) else ""
    return MetricRecord(name=metric.name, card=metric.card, claim=f"{hidden}{metric.claim}")


def _coverage(found: GeneCoverage) -> CoverageRecord:
    fields = {name: getattr(found, name) for name in CoverageRecord.__struct_fields__}
    return CoverageRecord(**fields | {"shared": len(found.shared)})


def _notes(results: Gathered) -> Notes:
    return {(each.who, each.dataset or ""): each.notes for each in results.timings if each.who}


def _checks(notes: Notes, who: str) -> Iterator[CheckRecord]:
    for (each, dataset), said in notes.items():
        found = said.get("checks", ())
        if each == who and isinstance(found, Sequence):
            yield from (CheckRecord(dataset=dataset, **check) for check in found)


def _caveats(run: Run, notes: Notes) -> Iterator[str]:
    """Yield what a reader should know before believing the rest."""
    who, reference = run.candidate.name, run.reference
    if run.config.judged_tier == "quick":
        yield QUICK_CAVEAT
    yield from sentences({name: run.exposure(name) for name in run.sources}, who)
    if reference is not None:
        weaker = (reference.weaker(run.dataset(name)) for name in run.sources)
        yield from filter(None, [reference.past.remark, *weaker])
    for (each, dataset), said in notes.items():
        if "computed on" in said:
            yield f"{each} on {dataset} is computed on {said['computed on']}."
        if NOTE in said:
            yield f"The rows of {each} on {dataset} are {said[NOTE]}."
        if "unchecked" in said:
            yield f"Nobody checked that {each} gives a cell of {dataset} the same row again: {said['unchecked']}."
    for name in run.sources:
        if what := run.reads(name):
            yield f"{who} on {name} is shown {what}."

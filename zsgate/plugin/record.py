"""The record of a run, put together from what was asked, found and decided."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import zsgate
from zsgate.data.leakage.exposure import sentences
from zsgate.metrics import EVERY
from zsgate.models.pretrained.coverage import GeneCoverage
from zsgate.plugin.outcome import Outcome
from zsgate.plugin.results import Results
from zsgate.report.record import (
    BaselineRecord,
    CheckRecord,
    CoverageRecord,
    GateState,
    MetricRecord,
    ModelCard,
    Provenance,
    RecipeRecord,
    Record,
    SelectionRecord,
)
from zsgate.run import datasets
from zsgate.run.run import Run
from zsgate.system.sources import versions

SHOWN = (
    *("numpy", "scipy", "pandas", "torch", "scvi-tools", "scikit-learn"),
    *("anndata", "igraph", "pytest", "tokenizers"),
)
QUICK_CAVEAT = (
    "The quick tier trains scVI on 2,000 genes over 3 seeds until its validation ELBO levels off (100 epochs or more), "
    "and its own dataset has 1,500 cells. It shows that a gate works; it does not clear a release."
)
Notes = Mapping[tuple[str, str], Mapping[str, object]]  # of embeddings, by who made it and dataset


@dataclass(frozen=True, slots=True)
class Start:
    """What is known of a run before anything is tested.

    Attributes
    ----------
    command
        What was typed.
    folder
        Where.
    began
        When, in seconds since the epoch.
    model
        The candidate, as ``--model`` names it.
    """

    command: str
    folder: Path
    began: float
    model: str

    @classmethod
    def of(cls, config: pytest.Config, model: str) -> Start:
        """Return what is known of a run that starts now."""
        command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
        return cls(command, config.invocation_params.dir, time.time(), model)

    def provenance(self, outcome: Outcome, device: str = "") -> Provenance:
        """Return on what the run ran, and how it ended."""
        return Provenance(
            zsgate=zsgate.__version__,
            python=platform.python_version(),
            platform=platform.platform(),
            device=device,
            packages=versions(*SHOWN),
            command=self.command,
            started=datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds"),
            seconds=round(time.time() - self.began, 1),
            git=_git(self.folder),
            exit_code=None if outcome.state is GateState.RUNNING else outcome.exit_code,
            exit_reason=outcome.reason,
        )

    def bare(self, outcome: Outcome) -> Record:
        """Return the record of a run of which nothing but its outcome is known."""
        return Record(gate=outcome.state, model=self.model, provenance=self.provenance(outcome))


def record(run: Run, results: Results, outcome: Outcome, selection: SelectionRecord, start: Start) -> Record:
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
        tier=run.config.tier,
        policy=run.config.policy,  # type: ignore[arg-type]
        selection=selection,
        verdicts=verdicts,
        scores=tuple(results.scores.values()),
        checks=tuple(_checks(notes, who)),
        waivers=results.waivers,
        controls=tuple(results.controls.values()),
        failures=tuple(results.failures.values()),
        not_tested=tuple(run.not_tested()),
        datasets=tuple(datasets.record(run.dataset(name), run.exposure(name)) for name in run.sources),
        coverage=tuple(map(_coverage, run.coverage)),
        baselines=tuple(
            BaselineRecord(name=each, dataset=dataset, notes=dict(said))
            for (each, dataset), said in notes.items()
            if each != who
        ),
        metrics=tuple(MetricRecord(name=name, card=EVERY[name].card) for name in metrics),
        reconstruction=tuple(run.reconstructed(verdicts)),
        timings=tuple(results.timings),
        caveats=tuple(_caveats(run, notes)),
        provenance=start.provenance(outcome, _device(run.config.gpu)),
    )


def _coverage(found: GeneCoverage) -> CoverageRecord:
    fields = {name: getattr(found, name) for name in CoverageRecord.__struct_fields__}
    return CoverageRecord(**fields | {"shared": len(found.shared)})


def _notes(results: Results) -> Notes:
    return {(each.who, each.dataset or ""): each.notes for each in results.timings if each.who}


def _checks(notes: Notes, who: str) -> Iterator[CheckRecord]:
    for (each, dataset), said in notes.items():
        found = said.get("checks", ())
        if each == who and isinstance(found, Sequence):
            yield from (CheckRecord(dataset=dataset, **check) for check in found)


def _caveats(run: Run, notes: Notes) -> Iterator[str]:
    """Yield what a reader should know before believing the rest."""
    who, reference = run.candidate.name, run.reference
    if run.config.tier == "quick":
        yield QUICK_CAVEAT
    yield from sentences({name: run.exposure(name) for name in run.sources}, who)
    if reference is not None:
        weaker = (reference.weaker(run.dataset(name)) for name in run.sources)
        yield from filter(None, [reference.past.remark, *weaker])
    for (each, dataset), said in notes.items():
        if "computed on" in said:
            yield f"{each} on {dataset} is computed on {said['computed on']}."
    for name in run.sources:
        if what := run.reads(name):
            yield f"{who} on {name} is shown {what}."


def _device(gpu: bool) -> str:
    if gpu:
        import torch

        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return f"CPU, {os.cpu_count()} cores"


def _git(folder: Path) -> str | None:
    """Return the commit the run was started in, or None outside a repository."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

"""Reference: another model, or the last release's verdict.json, that the candidate is compared with as well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import zsgate
from zsgate.config.config import Config
from zsgate.data.dataset import Dataset
from zsgate.data.file.path import expanded
from zsgate.errors import BaselineFailed, UsageProblem
from zsgate.metrics import METRICS
from zsgate.metrics.metric import Metric
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION, ReconstructionMetric
from zsgate.metrics.robustness.metric import RobustnessMetric
from zsgate.models import MODELS
from zsgate.models.adapter import Adapter
from zsgate.report.record import DatasetRecord, GateState, NotTestedRecord, Record, ScoreRecord
from zsgate.run.before import applicability
from zsgate.run.before.loading import load_model
from zsgate.run.ledger import Ledger
from zsgate.run.methods import TAKEN, Candidate, Method
from zsgate.verdict.recipe import Recipe
from zsgate.verdict.score import Score

ENDED_EARLY = {
    GateState.BROKE: "broke",
    GateState.INTERRUPTED: "was interrupted",
    GateState.INCOMPLETE: "is incomplete",
}


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier run says of a model.

    Attributes
    ----------
    scores
        By (dataset, metric).
    facts
        What that run said of each dataset, by name.
    averages
        The values of the baselines of reconstruction in that run: by (dataset, share hidden), statistic and baseline.
    remark
        What weakens the comparison, for the page.
    """

    scores: Mapping[tuple[str, str], Score] = field(default_factory=dict)
    facts: Mapping[str, DatasetRecord] = field(default_factory=dict)
    averages: Mapping[tuple[str, float], Mapping[str, Mapping[str, float | None]]] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Reference(Method):
    """Whom ``--against`` names, in the place of a baseline.

    Attributes
    ----------
    model
        The model; None where only its scores are known.
    past
        What is known of it from an earlier run.
    """

    model: Adapter | None = field(default=None, repr=False, kw_only=True)
    past: Past = field(default_factory=Past, repr=False, kw_only=True)
    failure = BaselineFailed

    def score(self, metric: Metric | ReconstructionMetric | RobustnessMetric, dataset: Dataset) -> Score:
        """Return its score by a metric; of an earlier run, as it was recorded."""
        recorded = self.past.scores.get((dataset.name, metric.name))
        return Method.score(self, metric, dataset) if recorded is None else recorded

    def objection(self, dataset: str, metric: str, candidate: Candidate) -> str:
        """Return why the candidate cannot be compared with it on a dataset by a metric, or an empty string."""
        if self.model is None:
            needed = (metric, "knn_purity") if metric in METRICS and METRICS[metric].claim == "batches" else (metric,)
            absent = [name for name in needed if (dataset, name) not in self.past.scores]
            return f"{self.name} has no recorded score by {' and '.join(absent)}" if absent else ""
        reason = applicability.objection_to_predictions(self.model, metric, self.name)
        reason = reason or applicability.objection_to_copies(self.model, metric, who=self.name)
        ours, theirs = (getattr(each, "scale", None) for each in (candidate.model, self.model))
        if reason or metric not in RECONSTRUCTION or ours == theirs:
            return reason
        return f"{self.name} predicts on scale {theirs!r}, the candidate on {ours!r}"

    def not_compared(self, asked: Iterable[tuple[str, str]], candidate: Candidate) -> Iterator[NotTestedRecord]:
        """Yield which of the datasets and metrics the candidate is not compared with it by, and why."""
        for dataset, metric in asked:
            if reason := self.objection(dataset, metric, candidate):
                what = f"{metric} against {self.name}"
                yield NotTestedRecord(what=what, dataset=dataset, metric=metric, baseline=self.name, reason=reason)

    def weaker(self, dataset: Dataset) -> str:
        """Return in words why no score of this dataset can be paired with a recorded one, or an empty string."""
        cells = {score.cells for (name, _), score in self.past.scores.items() if name == dataset.name}
        if not cells - {dataset.cells_digest}:
            return ""
        then = self.past.facts[dataset.name].n_cells if dataset.name in self.past.facts else "?"
        return (
            f"{self.name} was scored on other cells, labels, batches or donors of {dataset.name} ({then} cells then, "
            f"{dataset.n_cells} now): these verdicts are unpaired, so both variances add, and part of a difference may "
            "be the cells'."
        )

    def refuse(self, dataset: Dataset) -> None:
        """Raise UsageProblem if no score of the dataset is recorded, or those of other cells answer another question.

        They answer the same where the dataset has the same name, source and number of cell types, and its verdicts
        speak for the same: new donors, or these ones only.
        """
        known = sorted({name for name, _ in self.past.scores})
        if self.model is None and dataset.name not in known:
            msg = (
                f"--against: {self.name} has no recorded score on {dataset.name}, only on {', '.join(known)}; judge "
                "that model again, or choose with --datasets"
            )
            raise UsageProblem(msg)
        if not self.weaker(dataset):
            return
        then = self.past.facts.get(dataset.name, DatasetRecord(name=dataset.name))
        compared = {
            "source": (then.source, dataset.card.get("source", "")),
            "number of cell types": (then.n_cell_types, len(np.unique(dataset.cell_types))),
            "scope": (then.scope, dataset.scope),
        }
        for words, (was, now) in compared.items():
            if was != now:
                msg = (
                    f"--against: {self.name} was judged on other cells of {dataset.name}, of another {words} "
                    f"({was}, here {now}), so nothing can be compared; judge that model again"
                )
                raise UsageProblem(msg)


def load_reference(candidate: Candidate, config: Config, folder: Path, ledger: Ledger) -> Reference:
    """Return whom ``--against`` names.

    Parameters
    ----------
    candidate
        The candidate.
    config
        What the user asked for; ``against`` is a model as ``--model`` takes it, or the path of a verdict.json.
    folder
        Where pytest was started.
    ledger
        Of the run.

    Raises
    ------
    UsageProblem
        If it cannot be loaded, is the candidate itself, or was judged by another recipe.
    """
    against = config.against or ""
    if against.endswith(".json"):
        name, past = _past(folder / expanded(against), config.scoring)
        return Reference(name, candidate.run, past=past)
    place = _place(against, folder)
    if against == candidate.name or (place and place == _place(candidate.name, folder)):
        msg = f"--against {against} is the candidate itself"
        raise UsageProblem(msg)
    name = (Path(against.partition("#")[0]).stem or place[0].stem) if place else against
    try:
        model = load_model(against, config, folder, ledger)
    except UsageProblem as problem:
        msg = f"--against: {str(problem).removeprefix('--model ')}"
        raise UsageProblem(msg) from None
    taken = name in TAKEN or name == candidate.name
    return Reference(f"{name}@against" if taken else name, candidate.run, model=model)


def _place(named: str, folder: Path) -> tuple[Path, str] | None:
    """Return where the file or folder is that a path names, and its key, or None."""
    path, _, key = named.partition("#")
    found = folder / expanded(path)
    return (found.resolve(), key) if named not in MODELS and found.exists() else None


def _past(path: Path, recipe: Recipe) -> tuple[str, Past]:
    """Return the name of an earlier run's model, and what that run says of it."""
    record = _read(path)
    scores = {(each.dataset, each.metric): _score(each, path) for each in record.scores}
    if not scores or len(scores) < len(record.scores):
        fault = "is damaged: it holds two scores by one metric on one dataset" if scores else "holds no scores"
        msg = f"--against {path}: it {fault}; judge that model again with this version of zsgate"
        raise UsageProblem(msg)
    was, then = record.recipe, record.provenance
    if was.hash != recipe.hash:
        msg = f"--against {path}: recipe {was.id}:{was.hash}, this run's is {recipe}; they are not comparable"
        raise UsageProblem(msg)
    remarks = []
    if then.zsgate != zsgate.__version__:
        remarks.append(
            f"Scores of {record.model} are those of zsgate {then.zsgate}; this run's are of {zsgate.__version__}."
        )
    if became := ENDED_EARLY.get(record.gate):
        remarks.append(f"The run that recorded the scores of {record.model} {became} ({then.exit_reason}).")
    past = Past(
        scores=scores,
        facts={each.name: each for each in record.datasets},
        averages={(each.dataset, each.masked): each.values for each in record.reconstruction},
        remark=" ".join(remarks),
    )
    return f"{record.model}@{then.started[:10]}", past


def _read(path: Path) -> Record:
    """Return the record of an earlier run."""
    try:
        return Record.of_json(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        msg = f"--against {path}: no verdict.json of zsgate ({type(error).__name__}: {error})"
        raise UsageProblem(msg) from None


def _score(entry: ScoreRecord, path: Path) -> Score:
    """Return a recorded score, null being NaN; refuse one whose value does not follow from the rest."""
    fields = {name: _numbers(getattr(entry, name)) for name in entry.__struct_fields__ if name != "dataset"}
    fields |= {name: getattr(entry, name) for name in ("balanced", "n_effective", "by_type", "confusion")}
    score = Score(**fields)
    wrong = ""
    if not score.draws:
        wrong = "it has no draws"
    elif len(score.leave_outs) != len(score.units):
        wrong = f"{len(score.leave_outs)} leave-outs for {len(score.units)} units"
    elif not math.isclose(score.value, sum(score.draws) / len(score.draws), rel_tol=1e-9, abs_tol=1e-12) and not (
        math.isnan(score.value) and any(map(math.isnan, score.draws))
    ):
        wrong = f"its value is {score.value:.6g} and the mean of its draws is not"
    if wrong:
        msg = f"--against {path}: the score of {entry.metric} on {entry.dataset} is damaged: {wrong}"
        raise UsageProblem(msg)
    return score


def _numbers(value: Any) -> Any:
    """Return what JSON made of a score's field as it was: null where a number is meant is NaN."""
    if isinstance(value, tuple):
        return tuple(map(_numbers, value))
    return math.nan if value is None else value

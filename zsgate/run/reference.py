"""Rival: another model, or the last release's verdict.json, that the candidate is judged against as well."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

import zsgate
from zsgate.baselines import BASELINES, RECONSTRUCTION_BASELINES
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION
from zsgate.models import MODELS
from zsgate.models.adapter import Adapter
from zsgate.run import applicability
from zsgate.verdict.recipe import Recipe
from zsgate.verdict.score import Score

TAKEN = frozenset([*BASELINES, *RECONSTRUCTION_BASELINES])


@dataclass(frozen=True, slots=True)
class Rival:
    """Whom ``--against`` names.

    Attributes
    ----------
    name
        In the place of a baseline's, in test ids and on the page.
    adapter
        The model; None where only its scores are known.
    scores
        The scores of a verdict.json by (dataset, metric).
    facts
        What that run said of each dataset, by name.
    averages
        The values of the baselines of reconstruction in that run: by (dataset, share hidden), statistic and baseline.
    remark
        What weakens the comparison, for the page.
    """

    name: str
    adapter: Adapter | None = None
    scores: Mapping[tuple[str, str], Score] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    averages: Mapping[tuple[str, float], Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    remark: str = ""

    def objection(self, dataset: str, metric: str, candidate: Adapter) -> str:
        """Return why the candidate cannot be compared with it on a dataset by a metric, or an empty string."""
        if self.adapter is None:
            return "" if (dataset, metric) in self.scores else f"{self.name} has no recorded score by {metric}"
        reason = applicability.objection_to_predictions(self.adapter, metric, self.name)
        ours, theirs = (getattr(each, "scale", None) for each in (candidate, self.adapter))
        if reason or metric not in RECONSTRUCTION or ours == theirs:
            return reason
        return f"{self.name} predicts on scale {theirs!r}, the candidate on {ours!r}"

    def not_compared(self, asked: Iterable[tuple[str, str]], candidate: Adapter) -> list[dict[str, str]]:
        """Return which of the datasets and metrics the candidate is not compared with it by, and why."""
        return [
            {
                "what": f"{metric} against {self.name}",
                "dataset": dataset,
                "metric": metric,
                "baseline": self.name,
                "reason": reason,
            }
            for dataset, metric in asked
            if (reason := self.objection(dataset, metric, candidate))
        ]

    def weaker(self, dataset: Dataset) -> str:
        """Return in words why no score of this dataset can be paired with a recorded one, or an empty string."""
        cells = {score.cells for (name, _), score in self.scores.items() if name == dataset.name}
        if not cells - {dataset.cells_digest}:
            return ""
        then = (self.facts.get(dataset.name) or {}).get("n_cells") or "?"
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
        known = sorted({name for name, _ in self.scores})
        if self.adapter is None and dataset.name not in known:
            msg = (
                f"--against: {self.name} has no recorded score on {dataset.name}, only on {', '.join(known)}; judge "
                "that model again, or choose with --datasets"
            )
            raise UsageProblem(msg)
        if not self.weaker(dataset):
            return
        then = self.facts.get(dataset.name) or {}
        now = {"n_cell_types": len(np.unique(dataset.cell_types)), "scope": dataset.scope, **dataset.card}
        for what, words in (("source", "source"), ("n_cell_types", "number of cell types"), ("scope", "scope")):
            if then.get(what) != now.get(what):
                msg = (
                    f"--against: {self.name} was judged on other cells of {dataset.name}, of another {words} "
                    f"({then.get(what)}, here {now.get(what)}), so nothing can be compared; judge that model again"
                )
                raise UsageProblem(msg)


def load(against: str, folder: Path, recipe: Recipe, model: str, adapter: Callable[[str], Adapter]) -> Rival:
    """Return the rival that ``--against`` names.

    Parameters
    ----------
    against
        A model as ``--model`` takes it, or the path of a verdict.json.
    folder
        Where pytest was started.
    recipe
        Recipe of the run.
    model
        The candidate, as ``--model`` names it.
    adapter
        Loads a model by name.

    Raises
    ------
    UsageProblem
        If it cannot be loaded, is the candidate itself, or was judged by another recipe.
    """
    if against.endswith(".json"):
        return _past(folder / Path(against).expanduser(), recipe)
    place = _place(against, folder)
    if against == model or (place and place == _place(model, folder)):
        msg = f"--against {against} is the candidate itself"
        raise UsageProblem(msg)
    name = (Path(against.partition("#")[0]).stem or place[0].stem) if place else against
    return Rival(f"{name}@against" if name in TAKEN | {model} else name, adapter(against))


def refuse_namesake(model: str) -> None:
    """Raise UsageProblem if the candidate is called like a baseline: who is who goes by name."""
    if model in TAKEN:
        msg = f"--model {model}: a baseline is called so; embeddings in a folder of that name are ./{model}"
        raise UsageProblem(msg)


def _place(named: str, folder: Path) -> tuple[Path, str] | None:
    """Return where the file or folder is that a path names, and its key, or None."""
    path, _, key = named.partition("#")
    found = folder / Path(path).expanduser()
    return (found.resolve(), key) if named not in MODELS and found.exists() else None


def _past(path: Path, recipe: Recipe) -> Rival:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        was, model, day = record["recipe"], record["model"], record["provenance"]["started"][:10]
        version, done = record["provenance"]["zsgate"], record["provenance"].get("exit_reason", "")
        broke = record.get("gate") in ("broke", "interrupted")
        facts = {each["name"]: each for each in record.get("datasets", ())}
        averages = {(each["dataset"], each["masked"]): each["values"] for each in record.get("reconstruction", ())}
        scores = {(each["dataset"], each["metric"]): _score(each) for each in record.get("scores", ())}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"--against {path}: no verdict.json of zsgate ({type(error).__name__}: {error})"
        raise UsageProblem(msg) from None
    if not scores:
        msg = f"--against {path}: it holds no scores; judge that model again with this version of zsgate"
        raise UsageProblem(msg)
    if was["hash"] != recipe.hash:
        msg = f"--against {path}: recipe {was['id']}:{was['hash']}, this run's is {recipe}; they are not comparable"
        raise UsageProblem(msg)
    remarks = []
    if version != zsgate.__version__:
        remarks.append(f"Scores of {model} are those of zsgate {version}; this run's are of {zsgate.__version__}.")
    if broke:
        remarks.append(f"The run that recorded the scores of {model} was interrupted or broke ({done}).")
    return Rival(f"{model}@{day}", scores=scores, facts=facts, averages=averages, remark=" ".join(remarks))


def _score(entry: Mapping[str, Any]) -> Score:
    known = {each.name for each in fields(Score)}
    return Score(**{key: _frozen(key, value) for key, value in entry.items() if key in known})


def _frozen(key: str, value: Any) -> Any:
    """Return what JSON made of a score's field as it was: lists are tuples, null in a list of numbers is NaN."""
    if isinstance(value, list):
        return tuple(_frozen("value", each) for each in value)
    return math.nan if value is None and key == "value" else value

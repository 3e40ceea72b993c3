"""Embeddings of a model or a baseline, from the store where they were made before."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pkgutil import resolve_name
from typing import Any, Self

import numpy.typing as npt

from zsgate.baselines import BASELINES, YARDSTICKS
from zsgate.baselines.classical import Classical
from zsgate.baselines.draws import Draws, Keep, Learnt
from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import Embedding, check_rows
from zsgate.run.checks import stability
from zsgate.run.checks.fresh import proof_of
from zsgate.run.checks.imported import Again
from zsgate.run.ledger import Ledger, Made
from zsgate.system.parallel.parts import Parts
from zsgate.system.sources import code_of
from zsgate.verdict.recipe import Recipe

CHECKED = check_rows.__module__


@dataclass(frozen=True, slots=True)
class Scoring:
    """What the metrics of an embedding follow.

    Attributes
    ----------
    recipe
        Choices that shape the scores.
    clusterings
        How often a single draw is clustered.
    """

    recipe: Recipe
    clusterings: int


def of_model(who: str, model: Adapter, dataset: Dataset, ledger: Ledger, scoring: Scoring) -> Embedding:
    """Return the embedding of all cells of a dataset by a model, its rows checked.

    Parameters
    ----------
    who
        Name of the method.
    model
        The model.
    dataset
        The cells.
    ledger, scoring
        Of the run.

    Raises
    ------
    Exception
        Whatever the model raises, and ValueError for rows that are no embedding.
    """
    if isinstance(model, Classical):  # what the baseline of this name makes, or has made
        maker = BaselineMaker.of(model.name, model, model.settings)
        return replace(of_baseline(model.name, maker, dataset, ledger, scoring), source=who)
    key, lasts = key_of_model(who, model, dataset, ledger)
    again, embed = Again.by_model(model, dataset), partial(stability.embed, model, dataset)
    draws, notes = ledger.embedding(who, again, key, embed, lasts=lasts)
    return Embedding(draws, who, notes, scoring.clusterings, scoring.recipe, ledger.store(lasts=lasts))


def key_of_model(who: str, model: Adapter, dataset: Dataset, ledger: Ledger) -> tuple[dict[str, Any], bool]:
    """Return (what decides a model's rows, whether later runs may be served the same)."""
    if isinstance(model, Classical):
        maker = BaselineMaker.of(model.name, model, model.settings)
        return key_of_baseline(model.name, maker, dataset, ledger)
    fingerprints = [each.fingerprint for each in stability.draws_of(model)]
    proof = proof_of(model, dataset, ledger)
    key = {
        "who": who,
        "dataset": dataset.digest,
        "fingerprint": fingerprints,
        "proof": proof,
        "expression": expression_read(model, dataset),
        "declared": (model.info.independent_cells, model.info.stochastic),  # whether it was checked
        "code": code_of_model(model),
    }
    return key, None not in (*fingerprints, proof)


@dataclass(frozen=True, slots=True)
class BaselineMaker:
    """The function of a baseline, and what it may ask for by name.

    Attributes
    ----------
    function
        ``embed(dataset, ...)`` of a module of :mod:`zsgate.baselines`; returns draws and notes.
    candidate
        Given where it asks for ``candidate``.
    settings
        Given where it asks for them: ``seeds``, ``schedule``, ``device``, ``on``.
    """

    function: Any
    candidate: Adapter
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, candidate: Adapter, settings: Mapping[str, Any]) -> Self:
        """Return the maker of a baseline, or of what baselines are held against, by its name."""
        return cls(resolve_name((BASELINES | YARDSTICKS)[name]), candidate, settings)

    @property
    def asked(self) -> dict[str, Any]:
        """What it asks for, by name."""
        offered = {"candidate": self.candidate, **self.settings}
        return {name: offered[name] for name in inspect.signature(self.function).parameters if name in offered}

    @property
    def learns(self) -> bool:
        """Whether it learns of a dataset what can be applied to other counts, and is asked to keep that."""
        return "keep" in inspect.signature(self.function).parameters

    @property
    def has_parts(self) -> bool:
        """Whether it keeps what is done of it."""
        return "parts" in inspect.signature(self.function).parameters

    def make(self, dataset: Dataset, keep: Keep, parts: Parts | None = None) -> Draws:
        """Return the baseline's draws and notes; ``keep`` is handed what it learnt, ``parts`` keep what is done."""
        offered = {"keep": keep, "parts": parts}
        given = {name: offered[name] for name in inspect.signature(self.function).parameters if name in offered}
        draws: Draws = self.function(dataset, **self.asked, **given)
        return draws

    def key(self, dataset: Dataset, ledger: Ledger) -> dict[str, Any]:
        """Return what decides the rows besides the counts; no fingerprint of a candidate that has or proves none."""
        asked, code = self.asked, [code_of(self.function.__module__, CHECKED)]
        candidate = asked.pop("candidate", None)
        x = dataset.expression.identity if dataset.expression and asked.get("on") == "X" else None
        if candidate is None:
            return {"settings": asked, "code": code, "expression": x, "fingerprint": ""}
        x, code = expression_read(candidate, dataset), [*code, code_of_model(candidate)]
        proof = proof_of(candidate, dataset, ledger)
        fingerprint = None if proof is None else candidate.fingerprint
        return {"settings": asked, "code": code, "expression": x, "fingerprint": fingerprint, "proof": proof}


def of_baseline(who: str, maker: BaselineMaker, dataset: Dataset, ledger: Ledger, scoring: Scoring) -> Embedding:
    """Return the embedding of all cells of a dataset by a baseline.

    Parameters
    ----------
    who
        Name of the baseline.
    maker
        Its function.
    dataset
        The cells.
    ledger, scoring
        Of the run.

    Raises
    ------
    Exception
        Whatever the baseline raises, and ValueError for rows that are no embedding.
    """
    key, lasts = key_of_baseline(who, maker, dataset, ledger)

    def compute(parts: Parts) -> Made:
        def keep(learnt: Learnt) -> object:
            return ledger.lasting.arrays("learnt", key, lambda: (learnt, {}))

        draws, notes = maker.make(dataset, keep, parts)
        return [check_rows(draw, source=who, n_cells=dataset.n_cells) for draw in draws], notes

    draws, notes = ledger.embedding(who, Again.by_baseline(who, maker.asked, dataset), key, compute, lasts=lasts)
    return Embedding(draws, who, notes, scoring.clusterings, scoring.recipe, ledger.store(lasts=lasts))


def learnt_by(who: str, maker: BaselineMaker, dataset: Dataset, ledger: Ledger) -> Learnt:
    """Return what a baseline learnt of a dataset when it embedded it; it learns again if that is no longer kept."""

    def compute() -> Made:
        kept: list[npt.NDArray[Any]] = []
        maker.make(dataset, kept.extend)
        return kept, {}

    return ledger.lasting.arrays("learnt", key_of_baseline(who, maker, dataset, ledger)[0], compute)[0]


def key_of_baseline(who: str, maker: BaselineMaker, dataset: Dataset, ledger: Ledger) -> tuple[dict[str, Any], bool]:
    """Return (what decides a baseline's rows, whether later runs may be served the same)."""
    key = {"who": who, "dataset": dataset.digest, **maker.key(dataset, ledger)}
    return key, key["fingerprint"] is not None


def code_of_model(model: Adapter) -> str:
    """Return a digest of the code that embeds with a model, asks it and checks it."""
    return code_of(type(model).__module__, *getattr(model, "served_by", ()), stability.__name__)


def reads(model: Adapter, dataset: Dataset) -> str:
    """Return in words what a model reads of a dataset instead of its counts, if it does."""
    return str(model.reads(dataset)) if hasattr(model, "reads") else ""


def expression_read(model: Adapter, dataset: Dataset) -> dict[str, Any] | None:
    """Return what tells the X of the dataset's file from others, if the model may read it."""
    return dataset.expression.identity if dataset.expression and reads(model, dataset) else None

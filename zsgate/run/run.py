"""Trial: the datasets, the candidate and its baselines of one run, each made once and only when asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from zsgate import models
from zsgate.config.config import Config
from zsgate.config.tables import ABOUT_PRETRAINING
from zsgate.data.catalogue.card import Card
from zsgate.data.catalogue.files import Shelf
from zsgate.data.catalogue.sample import scored_rows
from zsgate.data.dataset import Dataset
from zsgate.data.leakage import exposure as leakage
from zsgate.data.leakage.exposure import Exposure
from zsgate.data.leakage.fingerprints import find_cells
from zsgate.data.leakage.fingerprints import load as load_filter
from zsgate.errors import BaselineFailed, CandidateFailed, UsageProblem
from zsgate.metrics import EVERY
from zsgate.metrics.reconstruction.result import ReconstructionResult
from zsgate.models import device
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import SEEDS, Embedding
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.coverage import GeneCoverage
from zsgate.run import applicability as asked
from zsgate.run import datasets as selection
from zsgate.run import embeddings as making
from zsgate.run import reference as rivals
from zsgate.run.reference import Rival
from zsgate.system.store import Store
from zsgate.verdict.recipe import RECIPES, Recipe


@dataclass(repr=False)
class Trial:
    """Everything a run puts on trial.

    Parameters
    ----------
    config
        What the user asked for.
    folder
        Where pytest was started.
    store
        What is kept between runs.
    scratch
        What is kept for this run only, shared by its workers: embeddings of models without a fingerprint.
    """

    config: Config
    folder: Path
    store: Store
    scratch: Store
    timings: list[dict[str, Any]] = field(default_factory=list)
    _datasets: dict[str, Dataset] = field(default_factory=dict)
    _drawn: dict[str, Dataset] = field(default_factory=dict)
    _exposures: dict[str, Exposure] = field(default_factory=dict)
    _embeddings: dict[tuple[str, str], Embedding | Exception] = field(default_factory=dict)
    reconstructions: dict[tuple[str, str, float], ReconstructionResult | Exception] = field(default_factory=dict)

    @cached_property
    def adapter(self) -> Adapter:
        """The candidate."""
        rivals.refuse_namesake(self.config.model)
        return self._load(self.config.model, {"weights": self.config.weights} if self.config.weights else {})

    @cached_property
    def rival(self) -> Rival | None:
        """Whom ``--against`` names, if it does."""
        config = self.config
        if config.against is None:
            return None
        return rivals.load(config.against, self.folder, self.recipe, config.model, self._rival_model)

    def _rival_model(self, name: str) -> Adapter:
        try:
            return self._load(name, {})
        except UsageProblem as problem:
            msg = f"--against: {str(problem).removeprefix('--model ')}"
            raise UsageProblem(msg) from None

    def _load(self, model: str, given: dict[str, Any]) -> Adapter:
        config = self.config
        preset = {"preset": self.recipe.preset} if model in CHECKPOINTS else {}
        settings = {**preset, **config.models.get(model, {}), **given}
        settings = {name: value for name, value in settings.items() if name not in ABOUT_PRETRAINING}
        return models.load(
            model,
            device=device.chosen(config.gpu),
            folder=self.folder,
            offline=config.offline,
            cache=config.cache,
            **settings,
        )

    @property
    def recipe(self) -> Recipe:
        """The choices that shape every score of the run."""
        return RECIPES[self.config.recipe]

    @cached_property
    def deciding(self) -> frozenset[str]:
        """Names of the metrics whose verdicts decide the run; those of all others are advisory."""
        return asked.deciding(self.config, self.recipe)

    @cached_property
    def has_twin(self) -> bool:
        """Whether the candidate can build its untrained twin."""
        return hasattr(self.adapter, "random_init")

    @cached_property
    def coverage(self) -> list[GeneCoverage]:
        """How much of each dataset the candidate's vocabulary holds; empty for a model that does not say."""
        coverage = getattr(self.adapter, "coverage", None)
        return [] if coverage is None else [coverage(self.whole(name)) for name in self.cards]

    def exposure(self, name: str) -> Exposure:
        """Return whether the candidate saw a dataset in pretraining, as far as anybody says."""
        if name not in self._exposures:
            source, said = self.cards[name], self.config.models.get(self.config.model, {})
            corpus, declared = said.get("corpus"), said.get("pretraining")
            self._exposures[name] = leakage.exposure(
                name,
                declared=declared and {each for entry in declared for each in selection.names_of(entry, self.config)},
                published=source.exposure.get(self.config.model) if isinstance(source, Card) else None,
                stated=self.adapter.info.pretraining,
                evidence=None if corpus is None else find_cells(load_filter(corpus), self.dataset(name)),
            )
        return self._exposures[name]

    @cached_property
    def cards(self) -> dict[str, selection.CardOrFile]:
        """The datasets to judge on, by name."""
        return selection.chosen(self.config)

    @cached_property
    def shelf(self) -> Shelf:
        """Where the files of the catalogue are."""
        return selection.shelf_of(self.config)

    def dataset(self, name: str) -> Dataset:
        """Return the cells of a dataset that are scored: all, or those that the recipe draws."""
        whole = self.whole(name)
        rows = scored_rows(whole.n_cells, self.recipe.cells)
        if rows is None:
            return whole
        if name not in self._drawn:
            note = f"{len(rows)} of {whole.n_cells} cells are scored, drawn as the paper's code draws them"
            self._drawn[name] = whole.subset(rows).with_notes(note)
        return self._drawn[name]

    def whole(self, name: str) -> Dataset:
        """Return a dataset with all of its cells, read once: what candidate and baselines embed."""
        if name not in self._datasets:
            started = time.perf_counter()
            self._datasets[name] = selection.read(self.cards[name], self.shelf)
            self.timed(f"read {name}", name, started)
        return self._datasets[name]

    def embedding(self, who: str, dataset: Dataset) -> Embedding:
        """Return the checked embedding of a baseline, or of the candidate under its model name.

        Every cell is embedded, as in the paper, and the rows of those that are scored are returned.

        Raises
        ------
        CandidateFailed, BaselineFailed
            If it cannot be had; a second request fails at once with the same words.
        """
        key = (who, dataset.name)
        if key not in self._embeddings:
            is_candidate = who == self.config.model
            try:
                whole = self.whole(dataset.name)
                made = making.embedding(self, who, whole)
                rows = scored_rows(whole.n_cells, self.recipe.cells)
                self._embeddings[key] = made if rows is None else made.rows(rows)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the boundary to code that is not ours: any failure, or exit, has an owner
                kind = CandidateFailed if is_candidate else BaselineFailed
                msg = f"{who} failed on {dataset.name}: {type(error).__name__}: {error}"
                self._embeddings[key] = kind(msg).with_traceback(error.__traceback__)
        found = self._embeddings[key]
        if isinstance(found, Exception):
            raise found
        return found

    def seeds(self, who: str) -> int:
        """Return how many draws a side that draws chance gets."""
        if self.config.seeds is not None:
            return self.config.seeds
        return 3 if who == "scvi" and self.is_quick else SEEDS

    @property
    def is_quick(self) -> bool:
        """Whether scVI may be trained for less long than in the paper."""
        return self.config.tier == "quick" and self.recipe.quick

    def preflight(self) -> None:
        """Load what the run needs and refuse it now if it cannot be used.

        Raises
        ------
        UsageProblem
            If the model, a dataset or a file of embeddings is unusable, or a required metric cannot be computed.
        """
        adapter, rival = self.adapter, self.rival
        selection.fetch_files(self.cards, self.shelf)
        for name in self.cards:
            dataset = self.whole(name)
            self.exposure(name)  # a filter that cannot be read is said now
            for model in (adapter, rival.adapter if rival else None):
                if model is not None and hasattr(model, "check"):
                    model.check(dataset)
            if rival:
                rival.refuse(self.dataset(name))
            for metric in self.config.require:
                if reason := self.objection(name, metric=metric):
                    msg = f"require: {metric} cannot be computed on {name}: {reason}"
                    raise UsageProblem(msg)

    def objection(self, dataset: str | None = None, baseline: str | None = None, metric: str | None = None) -> str:
        """Return why a test makes no sense for this candidate and dataset, or an empty string."""
        if baseline == "random_init" and not self.has_twin:
            return "the candidate offers no random_init(seed), so whether training helped was not tested"
        rival = self.rival
        if rival and rival.name == baseline and (reason := rival.objection(dataset or "", metric or "", self.adapter)):
            return reason
        source = None if dataset is None else self.cards[dataset]
        reason = asked.objection(self.config, metric, source, lambda: self.dataset(dataset or ""))
        return reason or asked.objection_to_predictions(self.adapter, metric)

    def not_tested(self) -> list[dict[str, str]]:
        """Return what was not tested on which dataset, and why."""
        wanted = ["batch_score", *self.config.metrics, *self.config.require]
        pairs = [("random_init", {"baseline": "random_init"})]
        pairs += [(name, {"metric": name}) for name in dict.fromkeys(wanted)]
        return [
            {"what": what, "dataset": dataset, "reason": reason, **names}
            for what, names in pairs
            for dataset in self.cards
            if (reason := self.objection(dataset, **names))
        ] + [*self._not_compared, *asked.without_predictions(self.adapter)]

    @property
    def _not_compared(self) -> list[dict[str, str]]:
        asked = [pair for pair in product(self.cards, EVERY) if not self.objection(pair[0], metric=pair[1])]
        return self.rival.not_compared(asked, self.adapter) if self.rival else []

    def facts(self, name: str) -> dict[str, Any]:
        """Return what the report says of a dataset."""
        return selection.facts(self.dataset(name)) | {"pretraining": self.exposure(name).as_dict()}

    def timed(self, what: str, dataset: str, started: float, *, cached: bool = False, **rest: Any) -> None:
        """Note what a step took."""
        seconds = round(time.perf_counter() - started, 3)
        self.timings.append({"what": what, "dataset": dataset, "seconds": seconds, "cached": cached, **rest})

"""Run: the datasets, the candidate and what it is compared with, each made once and only when asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from zsgate.baselines import DRAWS
from zsgate.config.config import Config
from zsgate.data.catalogue.files import Shelf
from zsgate.data.catalogue.sample import scored_rows
from zsgate.data.dataset import Dataset
from zsgate.data.leakage.exposure import Exposure
from zsgate.metrics.reconstruction.metric import ReconstructionMetric
from zsgate.metrics.reconstruction.result import ReconstructionResult, Side
from zsgate.models import device
from zsgate.models.embedding import SEEDS, Embedding
from zsgate.models.pretrained.coverage import GeneCoverage
from zsgate.report.record import ReconstructionRecord, VerdictRecord
from zsgate.run import datasets, embeddings, reconstructions
from zsgate.run.before import applicability
from zsgate.run.changed.copies import Copier
from zsgate.run.embeddings import Scoring
from zsgate.run.ledger import Ledger
from zsgate.run.methods import Baseline, Candidate, Control, Method, load_candidate
from zsgate.run.reference import Reference, load_reference
from zsgate.system.processes import time_limit
from zsgate.system.progress import waiting
from zsgate.verdict.recipe import Recipe


@dataclass(repr=False)
class Run:
    """One run of the gate.

    Parameters
    ----------
    config
        What the user asked for.
    folder
        Where pytest was started.
    ledger
        Where what is made is kept, and what it took.
    """

    config: Config
    folder: Path
    ledger: Ledger
    _embedded: dict[str, Dataset] = field(default_factory=dict)
    _drawn: dict[str, Dataset] = field(default_factory=dict)
    _exposures: dict[str, Exposure] = field(default_factory=dict)
    _embeddings: dict[tuple[str, str], Embedding | Exception] = field(default_factory=dict)
    _reconstructions: dict[tuple[str, str, float], ReconstructionResult | Exception] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The choices that shape every score of the run."""
        return self.config.scoring

    @cached_property
    def sources(self) -> dict[str, datasets.CardOrFile]:
        """Where the datasets to judge on are from, by name."""
        return datasets.chosen(self.config)

    @cached_property
    def shelf(self) -> Shelf:
        """Where the files of the catalogue are."""
        return datasets.shelf_of(self.config)

    @cached_property
    def deciding(self) -> frozenset[str]:
        """Names of the metrics whose verdicts decide the run; those of all others are advisory."""
        return applicability.deciding(self.config, self.recipe)

    @cached_property
    def candidate(self) -> Candidate:
        """The model that is judged."""
        return load_candidate(self, self.config, self.folder)

    @cached_property
    def reference(self) -> Reference | None:
        """Whom ``--against`` names, if it does."""
        config = self.config
        return load_reference(self.candidate, config, self.folder, self.ledger) if config.against else None

    def method(self, name: str) -> Method:
        """Return what a test compares the candidate with: a baseline, or the reference."""
        if self.reference is not None and self.reference.name == name:
            return self.reference
        return Baseline(name, self)

    def control(self, name: str) -> Control:
        """Return an embedding of known worth."""
        return Control(name, self, pca=Baseline("pca", self))

    def embedded(self, name: str) -> Dataset:
        """Return the cells of a dataset that candidate and baselines embed, read once."""
        if name not in self._embedded:
            started = time.perf_counter()
            with waiting(f"{name}: reading its cells"):
                where = self.sources[name], self.shelf, self.ledger.lasting, self.recipe.embedded
                cached = datasets.is_kept(*where)
                self._embedded[name] = datasets.read(*where)
            self.ledger.timed(f"read {name}", name, started, cached=cached)
        return self._embedded[name]

    def known(self, name: str) -> Dataset | None:
        """Return a dataset as :meth:`embedded` does, where its file need not be read for that, else None."""
        where = self.sources[name], self.shelf, self.ledger.lasting, self.recipe.embedded
        return self.embedded(name) if name in self._embedded or datasets.is_kept(*where) else None

    def dataset(self, name: str) -> Dataset:
        """Return the cells of a dataset that are scored: all, or those that the recipe draws."""
        embedded = self.embedded(name)
        rows = scored_rows(embedded.n_cells, self.recipe.scored)
        if rows is None:
            return embedded
        if name not in self._drawn:
            drawn = f"{len(rows)} of {embedded.n_cells} cells are scored, drawn as the paper's code draws them"
            self._drawn[name] = embedded.subset(rows).with_notes(drawn)
        return self._drawn[name]

    def embedding(self, method: Method, dataset: Dataset) -> Embedding:
        """Return the checked embedding of a method.

        Every cell is embedded, as in the paper, and the rows of those that are scored are returned.

        Raises
        ------
        CandidateFailed, BaselineFailed
            If it cannot be had; a second request fails with the same words.
        """
        key = (method.name, dataset.name)
        if key not in self._embeddings:
            try:
                embedded = self.embedded(dataset.name)
                with time_limit(self.limit(method), f"embedding {embedded.n_cells} cells"):
                    made = self.embed(method, embedded)
                rows = scored_rows(embedded.n_cells, self.recipe.scored)
                self._embeddings[key] = made if rows is None else made.rows(rows)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the boundary to code that is not ours: any failure, or exit, has an owner
                self._embeddings[key] = method.failed(f"on {dataset.name}", error)
        found = self._embeddings[key]
        if isinstance(found, Exception):
            raise found
        return found

    def embed(self, method: Method, dataset: Dataset) -> Embedding:
        """Return a method's embedding of all cells that are given; raises whatever it raises."""
        scoring = Scoring(self.recipe, self.config.seeds or SEEDS)
        if isinstance(method, Candidate | Reference) and method.model is not None:
            return embeddings.of_model(method.name, method.model, dataset, self.ledger, scoring)
        return embeddings.of_baseline(method.name, self.maker(method.name), dataset, self.ledger, scoring)

    def maker(self, baseline: str) -> embeddings.BaselineMaker:
        """Return the function of a baseline with what it may ask for."""
        settings = {
            "seeds": self.seeds(baseline),
            "schedule": self.recipe.scvi,
            "device": device.chosen(self.config.gpu),
            "on": self.recipe.hvg_on,
        }
        return embeddings.BaselineMaker.of(baseline, self.candidate.model, settings)

    @cached_property
    def copies(self) -> Copier:
        """Makes what methods make of perturbed cells."""
        return Copier(self)

    def side(self, method: Method, dataset: Dataset, masked: float) -> Side:
        """Return what a method says of a dataset's genes with a share of them hidden."""
        return reconstructions.side(self, method, dataset, masked)

    def one_pass(self, method: Candidate | Reference, dataset: Dataset, masked: float) -> ReconstructionResult:
        """Return the result of the one pass of a model over all cells of a dataset at this share of hidden genes.

        Raises
        ------
        CandidateFailed, BaselineFailed
            If it cannot be had; a second request fails at once with the same words.
        """
        key = (method.name, dataset.name, masked)
        if key not in self._reconstructions:
            cells, limit = self.embedded(dataset.name), self.limit(method)
            self._reconstructions[key] = reconstructions.made(method, cells, masked, self.ledger, limit)
        found = self._reconstructions[key]
        if isinstance(found, Exception):
            raise found
        return found

    def other_targets(self, method: Method, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that the reference had other genes or values to predict than the candidate, or ``""``."""
        return reconstructions.other_targets(self, method, dataset, metric)

    def only_copies(self, method: Method, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that a method returns what it is shown and guesses no better than an average, or ``""``."""
        return reconstructions.only_copies(self, method, dataset, metric)

    def reconstructed(self, verdicts: Sequence[VerdictRecord]) -> list[ReconstructionRecord]:
        """Return for the report what was predicted of each dataset and share that verdicts speak of."""
        return reconstructions.records(self, verdicts)

    def limit(self, method: Method) -> float | None:
        """Return how many seconds a call of the candidate may take in this process; nobody limits what is ours."""
        theirs = isinstance(method, Candidate | Reference) or method.name == "random_init"
        return self.config.timeout if theirs and self.config.isolation == "none" else None

    def close(self) -> None:
        """End the processes of the models; one that is asked again starts again."""
        for name in {"candidate", "reference"} & vars(self).keys():  # those that were loaded
            getattr(getattr(vars(self)[name], "model", None), "close", lambda: None)()

    def seeds(self, name: str) -> int:
        """Return how many draws a baseline that draws chance gets."""
        return self.config.seeds or DRAWS.get(name, SEEDS)

    def exposure(self, name: str) -> Exposure:
        """Return whether the candidate saw a dataset in pretraining, as far as anybody says."""
        if name not in self._exposures:
            source, who, stated = self.sources[name], self.candidate.name, self.candidate.model.info.pretraining
            self._exposures[name] = datasets.exposure(source, who, stated, self.config, lambda: self.dataset(name))
        return self._exposures[name]

    def reads(self, name: str) -> str:
        """Return in words what the candidate reads of a dataset instead of its counts, if it does."""
        return embeddings.reads(self.candidate.model, self.embedded(name))

    @cached_property
    def coverage(self) -> list[GeneCoverage]:
        """How much of each dataset the candidate's vocabulary holds; empty for a model that does not say."""
        coverage = getattr(self.candidate.model, "coverage", None)
        return [] if coverage is None else [coverage(self.embedded(name)) for name in self.sources]

    def objection(self, dataset: str | None = None, baseline: str | None = None, metric: str | None = None) -> str:
        """Return why a test makes no sense for this candidate and dataset, or an empty string."""
        model, reference = self.candidate.model, self.reference
        if reason := applicability.objection_to_baseline(self.config, baseline, model):
            return reason
        against = reference.objection if reference and reference.name == baseline else lambda *_: ""
        if reason := against(dataset or "", metric or "", self.candidate):
            return reason
        source, read = (None, None) if dataset is None else (self.sources[dataset], lambda: self.dataset(dataset))
        reason = applicability.objection(self.config, metric, source, lambda: self.dataset(dataset or ""))
        reason = reason or applicability.objection_to_predictions(model, metric)
        return reason or applicability.objection_to_copies(model, metric, self.recipe, read)

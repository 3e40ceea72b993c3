"""Subject: something with a name that embeds datasets and recovers their genes, as suites see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from zsgate.data.dataset import Dataset
from zsgate.metrics import Metric
from zsgate.metrics.reconstruction.metric import ReconstructionMetric
from zsgate.metrics.reconstruction.result import Side
from zsgate.models.embedding import Embedding
from zsgate.run import controls, reconstructions
from zsgate.run.run import Trial
from zsgate.verdict.score import Score


@dataclass(frozen=True, slots=True)
class Subject:
    """The candidate or a baseline."""

    name: str
    trial: Trial = field(repr=False)

    def embed(self, dataset: Dataset) -> Embedding:
        """Return its embedding of the dataset, from the store if it was made before."""
        return self.trial.embedding(self.name, dataset)

    def score(self, metric: Metric | ReconstructionMetric, dataset: Dataset) -> Score:
        """Return its score, from what it makes of the dataset or, of an earlier run, as it was recorded."""
        rival = self.trial.rival
        recorded = rival.scores.get((dataset.name, metric.name)) if rival and rival.name == self.name else None
        if recorded is not None:
            return recorded
        if isinstance(metric, ReconstructionMetric):
            return metric(self.reconstruct(dataset, metric.masked))
        return metric(self.embed(dataset), dataset)

    def shuffled(self, dataset: Dataset) -> Embedding:
        """Return its embedding with the rows dealt to the cells at random."""
        return controls.shuffled_twin(self.embed(dataset), dataset)

    def reconstruct(self, dataset: Dataset, masked: float = 0.0) -> Side:
        """Return what it recovers of the dataset's genes with a share of them hidden, or a baseline's guess."""
        return reconstructions.side(self.trial, self.name, dataset, masked)

    def other_targets(self, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that, of a rival, it had other genes or values to predict than the candidate, or ``""``."""
        return reconstructions.other_targets(self.trial, self.name, dataset, metric)

    def only_copies(self, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that it returns what it is shown and recovers nothing that is hidden, or ``""``."""
        return reconstructions.only_copies(self.trial, self.name, dataset, metric)


@dataclass(frozen=True, slots=True)
class ControlSubject(Subject):
    """A control in the place of the candidate."""

    def embed(self, dataset: Dataset) -> Embedding:
        """Return the control's embedding of the dataset."""
        return controls.make(self.name, dataset, self.trial.embedding("pca", dataset))

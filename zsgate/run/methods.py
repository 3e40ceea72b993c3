"""Methods: what a suite compares. The candidate, the baselines and the controls, each of which embeds datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from zsgate.data.dataset import Dataset
from zsgate.metrics.metric import Metric
from zsgate.metrics.reconstruction.metric import Recovered, ReconstructionMetric
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import Embedding
from zsgate.run import controls
from zsgate.verdict.score import Score


class Maker(Protocol):
    """What methods need of a run: each thing is made once, whoever asks."""

    def embedding(self, method: Method, dataset: Dataset) -> Embedding:
        """Return the checked embedding of a method."""
        ...

    def recovered(self, method: Method, dataset: Dataset, masked: float) -> Recovered:
        """Return what a method says of a dataset's genes with a share of them hidden."""
        ...

    def other_targets(self, method: Method, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that a method had other genes or values to predict than the candidate."""
        ...

    def only_copies(self, method: Method, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that a method returns what it is shown."""
        ...


@dataclass(frozen=True, slots=True)
class Method:
    """Something with a name that embeds datasets and predicts their genes.

    Attributes
    ----------
    name
        As test ids and the page have it.
    run
        Makes what is asked for.
    """

    name: str
    run: Maker = field(repr=False)

    def embed(self, dataset: Dataset) -> Embedding:
        """Return its embedding of the dataset, from the store if it was made before."""
        return self.run.embedding(self, dataset)

    def score(self, metric: Metric | ReconstructionMetric, dataset: Dataset) -> Score:
        """Return its score by a metric."""
        if isinstance(metric, ReconstructionMetric):
            return metric(self.reconstruct(dataset, metric.masked))
        return metric(self.embed(dataset), dataset)

    def shuffled(self, dataset: Dataset) -> Embedding:
        """Return its embedding with the rows dealt to the cells at random."""
        return controls.shuffled_twin(self.embed(dataset), dataset)

    def reconstruct(self, dataset: Dataset, masked: float = 0.0) -> Recovered:
        """Return what it says of the dataset's genes with a share of them hidden."""
        return self.run.recovered(self, dataset, masked)

    def other_targets(self, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that it had other genes or values to predict than the candidate, or ``""``."""
        return self.run.other_targets(self, dataset, metric)

    def only_copies(self, dataset: Dataset, metric: ReconstructionMetric) -> str:
        """Return in words that it returns what it is shown and says nothing of what is hidden, or ``""``."""
        return self.run.only_copies(self, dataset, metric)


@dataclass(frozen=True, slots=True)
class Candidate(Method):
    """The model that the run judges."""

    model: Adapter = field(repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Baseline(Method):
    """What the candidate must beat: a function of :mod:`zsgate.baselines`, or an average of genes."""


@dataclass(frozen=True, slots=True)
class Control(Method):
    """An embedding of known worth in the place of the candidate.

    Attributes
    ----------
    pca
        Whose rows some controls deal out anew.
    """

    pca: Baseline = field(repr=False, kw_only=True)

    def embed(self, dataset: Dataset) -> Embedding:
        """Return the control's embedding of the dataset."""
        return controls.make(self.name, dataset, self.pca.embed(dataset))

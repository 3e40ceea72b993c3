"""Methods: what a suite compares. The candidate, the baselines and the controls, each of which embeds datasets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Protocol

from zsgate.baselines import BASELINES, RECONSTRUCTION_BASELINES, YARDSTICKS
from zsgate.baselines.classical import CLASSICAL
from zsgate.config.config import Config
from zsgate.data.dataset import Dataset
from zsgate.errors import BaselineFailed, CandidateFailed, GateBroke, UsageProblem, in_words, machine_fault
from zsgate.metrics.metric import Metric
from zsgate.metrics.reconstruction.metric import ReconstructionMetric
from zsgate.metrics.reconstruction.result import Side
from zsgate.metrics.robustness.metric import Copies, RobustnessMetric
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import Embedding
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.own import FAMILIES
from zsgate.run.before.loading import load_model
from zsgate.run.checks import controls
from zsgate.run.ledger import Ledger
from zsgate.system.progress import waiting
from zsgate.verdict.score import Score

TAKEN = frozenset([*BASELINES, *RECONSTRUCTION_BASELINES, *YARDSTICKS])  # names that no candidate can have


class Maker(Protocol):
    """What methods need of a run: each thing is made once, whoever asks."""

    @property
    def ledger(self) -> Ledger:
        """Where what is made is kept."""
        ...

    def embedding(self, method: Method, dataset: Dataset) -> Embedding:
        """Return the checked embedding of a method."""
        ...

    @property
    def copies(self) -> Callable[[Method, Dataset, RobustnessMetric], Copies]:
        """Returns what a method makes of perturbed cells."""
        ...

    def side(self, method: Method, dataset: Dataset, masked: float) -> Side:
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
    failure: ClassVar[type[Exception]] = BaselineFailed  # whose fault it is when it fails

    def failed(self, at: str, error: BaseException) -> Exception:
        """Return its failure, in the words of the error that it raised; a fault of the machine is nobody's failure."""
        if fault := machine_fault(error):
            return GateBroke(f"{at}: {fault}").with_traceback(error.__traceback__)
        failure = self.failure(f"{self.name} failed {at}: {in_words(error)}")
        if not hasattr(error, "words"):  # its own words say more than the way here through this package
            failure = failure.with_traceback(error.__traceback__)
        for note in getattr(error, "__notes__", []):
            failure.add_note(note)
        return failure

    def embed(self, dataset: Dataset) -> Embedding:
        """Return its embedding of the dataset, from the store if it was made before."""
        return self.run.embedding(self, dataset)

    def copies(self, dataset: Dataset, metric: RobustnessMetric) -> Copies:
        """Return its embeddings of cells of the dataset, perturbed as the metric says and unperturbed."""
        return self.run.copies(self, dataset, metric)

    def score(self, metric: Metric | ReconstructionMetric | RobustnessMetric, dataset: Dataset) -> Score:
        """Return its score by a metric."""
        if isinstance(metric, ReconstructionMetric):
            return metric(self.reconstruct(dataset, metric.masked))
        if isinstance(metric, RobustnessMetric):
            return metric(self.copies(dataset, metric))
        return metric(self.embed(dataset), dataset)

    def shuffled(self, dataset: Dataset) -> Embedding:
        """Return its embedding with the rows dealt to the cells at random."""
        return controls.shuffled_twin(self.embed(dataset), dataset)

    def reconstruct(self, dataset: Dataset, masked: float = 0.0) -> Side:
        """Return what it says of the dataset's genes with a share of them hidden."""
        return self.run.side(self, dataset, masked)

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
    failure: ClassVar[type[Exception]] = CandidateFailed


@dataclass(frozen=True, slots=True)
class Baseline(Method):
    """What the candidate must beat: a function of :mod:`zsgate.baselines`, or an average of genes."""

    def shuffled(self, dataset: Dataset) -> Embedding:
        """Return its first draw with the rows dealt to the cells at random, clustered once: it is extreme."""
        alone = replace(self.embed(dataset), clusterings=1)
        return controls.shuffled_twin(replace(alone, draws=alone.draws[:1]), dataset)


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


def load_candidate(run: Maker, config: Config, folder: Path) -> Candidate:
    """Return the candidate of a run; one that is called like a baseline is refused, for names tell who is who.

    A checkpoint of the user's own is called after its folder and not after the published one that was named.

    Raises
    ------
    UsageProblem
        If it cannot be loaded.
    """
    name = config.model
    classical = name in CLASSICAL and not (folder / name).exists()
    if name in TAKEN and not classical:
        msg = f"--model {name}: a baseline is called so; embeddings in a folder of that name are ./{name}"
        raise UsageProblem(msg)
    with waiting(f"{name}: loading it"):
        model = load_model(name, config, folder, run.ledger, weights=config.weights)
    if classical:
        return Candidate(f"{name}@model", run, model=model)
    called = model.info.name if name in CHECKPOINTS or name in FAMILIES else name
    if called in TAKEN:
        msg = f"--model {name}: a baseline is called {called}, as the folder of its weights is; rename the folder"
        raise UsageProblem(msg)
    return Candidate(called, run, model=model)

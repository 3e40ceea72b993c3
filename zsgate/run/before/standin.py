"""Stand-in: a packaged model whose weights are not here yet, as far as a plan needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import ModelInfo
from zsgate.models.pretrained.checkpoints import CHECKPOINTS, Checkpoint
from zsgate.models.pretrained.weights import absent_files
from zsgate.models.reconstruction import Reconstruction, Scale
from zsgate.run.methods import Candidate
from zsgate.run.run import Run


@dataclass(frozen=True)
class StandIn:
    """Offers what the model will offer, and gives nothing.

    Attributes
    ----------
    checkpoint
        What is known of the model.
    """

    checkpoint: Checkpoint
    fingerprint: None = None

    @property
    def info(self) -> ModelInfo:
        """The model's card, as far as it is known without its weights."""
        draws = self.checkpoint.family == "scgpt"
        return ModelInfo(name=self.checkpoint.name, stochastic=draws, pretraining=self.checkpoint.pretraining)

    @property
    def scale(self) -> Scale:
        """What the model's predictions are."""
        return "rank" if self.checkpoint.family == "geneformer" else "bin"

    @property
    def heads(self) -> tuple[str, ...]:
        """Its heads of values."""
        return () if self.scale == "rank" else ("gep", "gepc")

    def embed(self, dataset: Dataset) -> Any:
        """Refuse: a plan computes nothing."""
        raise NotImplementedError

    def random_init(self, seed: int) -> Self:
        """Return a twin, which is as little as this."""
        return self

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Refuse: a plan computes nothing."""
        raise NotImplementedError


def stand_in(run: Run) -> None:
    """Let a run have a stand-in as its candidate where the weights would have to be downloaded."""
    name, config = run.config.model, run.config
    if name not in CHECKPOINTS or config.weights is not None or config.offline:
        return
    absent = absent_files(CHECKPOINTS[name], None, run.ledger.lasting.folder)
    if absent and all(file.url is not None for file in absent):
        run.candidate = Candidate(name, run, model=StandIn(CHECKPOINTS[name]))

"""What the adapters of published checkpoints share, whatever they read: card, fingerprint, twin."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.models.pretrained.checkpoint import Checkpoint
from zsgate.models.pretrained.coverage import GeneCoverage
from zsgate.models.pretrained.paper_input import describe_input
from zsgate.models.pretrained.weights import FoundFile

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Published(ABC):
    """The adapter of a published checkpoint.

    Attributes
    ----------
    checkpoint
        What is published of it.
    state
        Its tensors; None in an untrained twin.
    files
        What was read, by name.
    left_out
        Tensors of the file that the network does not use.
    device, dtype
        Where and in which number format the network runs.
    preset
        ``"official"`` or ``"paper"``: the preparation of the model's authors, or of Kedzierska et al.
    twin
        (seed, init) of the untrained weights; None in the trained model.
    """

    loader: ClassVar[str]  # the module whose load() makes the adapter
    gene_ids: ClassVar[Literal["symbol", "ensembl"]]

    checkpoint: Checkpoint
    state: dict[str, torch.Tensor] | None
    files: dict[str, FoundFile]
    left_out: tuple[str, ...]
    device: torch.device
    dtype: torch.dtype
    preset: str = "official"
    twin: tuple[int, str] | None = None

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Width of the embedding."""

    @property
    @abstractmethod
    def settings(self) -> tuple[object, ...]:
        """What else than files, device, dtype, preset and twin fixes the embedding."""

    @property
    def preset_modules(self) -> tuple[str, ...]:
        """Modules that only this preset uses; their code and packages count in its fingerprint alone."""
        return ()

    @abstractmethod
    def coverage(self, dataset: Dataset) -> GeneCoverage:
        """Return how much of ``dataset`` is in the vocabulary."""

    @abstractmethod
    def check(self, dataset: Dataset) -> None:
        """Raise UsageProblem if ``embed`` would refuse ``dataset``; runs nothing of the network."""

    @abstractmethod
    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the cell embeddings, float32 (n_cells, d), in the dataset's order."""

    @property
    def info(self) -> ModelInfo:
        """The model's card."""
        published = self.checkpoint
        return ModelInfo(
            name=published.name,
            citation=published.citation,
            code_licence=published.code_licence,
            weights_licence=published.weights_licence,
            weights=tuple((name, file.sha256) for name, file in self.files.items()),
            dimensions=self.dimensions,
            pretraining=published.pretraining,
            gene_ids=self.gene_ids,
            notes=(*published.notes, *self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        yield f"preset {self.preset}, {str(self.dtype).removeprefix('torch.')}"
        for name, file in self.files.items() if not self.checkpoint.own else ():
            if file.status == "unpublished":
                yield f"unverified source: no sha256 is published for {name}; read: {file.sha256}"
            elif file.status == "other":
                yield f"{name} is not the published file (sha256 {file.sha256})"
        if self.left_out:
            yield f"tensors left out: {', '.join(self.left_out)}"
        if self.twin is not None:
            yield f"untrained, seed {self.twin[0]}, {self.twin[1]} layers"

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules whose code, and all that it imports, fixes the embedding."""
        return type(self).__module__, self.loader, *self.preset_modules

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, settings and the code that computes."""
        from zsgate.system.sources import code_of

        parts = (
            sorted((name, file.sha256) for name, file in self.files.items()),
            (str(self.device), str(self.dtype), self.preset, self.twin, self.settings),
            code_of(*self.modules),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def reads(self, dataset: Dataset) -> str:
        """Return in words what is read of a dataset instead of its counts, or ``""``."""
        return describe_input(dataset) if self.preset == "paper" else ""

    def _untrained(self, seed: int, init: str) -> Self:
        return replace(self, state=None, twin=(seed, init))


def check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    """Raise UsageProblem unless ``value`` is among ``known``."""
    if value not in known:
        msg = f"{what} {value!r} is none of {', '.join(known)}"
        raise UsageProblem(msg)

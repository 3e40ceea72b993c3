"""What a model must offer, one method, and what else it may offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.models.reconstruction import Reconstruction, Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model's card, shown in the report.

    Attributes
    ----------
    name
        Short name, part of the report.
    citation
        Paper or page that defines the model.
    code_licence, weights_licence
        SPDX identifiers or plain words.
    weights
        ``{file name: sha256 or None}`` of what was loaded; None marks a hash that no source states.
    dimensions
        Width of the embedding.
    stochastic
        Whether embedding draws random numbers.
    independent_cells
        Whether a cell's embedding ignores the other cells it is embedded with.
    trains_on_target
        Whether the dataset itself is trained on.
    pretraining
        Names of datasets known to be in the pretraining data; None is unknown.
    gene_ids
        What the model knows genes by.
    notes
        Remarks for the report.
    """

    name: str
    citation: str = ""
    code_licence: str = "unknown"
    weights_licence: str = "unknown"
    weights: tuple[tuple[str, str | None], ...] = ()
    dimensions: int | None = None
    stochastic: bool = False
    independent_cells: bool = True
    trains_on_target: bool = False
    pretraining: tuple[str, ...] | None = None
    gene_ids: Literal["symbol", "ensembl", "any"] = "any"
    notes: tuple[str, ...] = ()


@runtime_checkable
class Adapter(Protocol):
    """A model that embeds cells.

    Optional: ``random_init(seed)``, without which there is no untrained twin and the report says that this claim was
    not tested; ``coverage(dataset)``, how much of the dataset's genes the model knows, as a ``GeneCoverage``;
    ``check(dataset)``, which raises UsageProblem before anything runs where ``embed`` would; ``reconstruct(dataset)``,
    predicted expression in windows of cells, each a ``Reconstruction``; ``repeats()``, the same model once for each of
    the draws over which a score is to be the mean, their spread being part of its interval.
    ``zsgate.testing.AdapterContract`` has ten tests that every adapter should pass.
    """

    @property
    def info(self) -> ModelInfo:
        """The model's card."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """Digest of weights, settings and code that fix the embedding; None keeps nothing between runs."""
        ...

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return float32 (n_cells, n_dimensions), rows in the dataset's order."""
        ...


class TwinMaker(Adapter, Protocol):
    """An adapter that can also build its own untrained twin."""

    def random_init(self, seed: int) -> Self:
        """Return the same architecture with the same tokens, untrained."""
        ...


class GenePredictor(Adapter, Protocol):
    """An adapter that also predicts genes."""

    @property
    def scale(self) -> Scale:
        """What its predictions are: bins, counts, log-normalised values or ranks."""
        ...

    @property
    def heads(self) -> tuple[str, ...]:
        """Heads of values: ``gep``, at each gene's place, and ``gepc``, from the cell's embedding; none of ranks."""
        ...

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield predictions of all cells, a window at a time, with a share of each cell's genes hidden."""
        ...


def predicts_genes(model: Adapter) -> TypeGuard[GenePredictor]:
    """Return whether a model predicts genes."""
    return hasattr(model, "reconstruct")


def is_foreign(model: Adapter) -> bool:
    """Return whether a model's code is not this package's: what it declares of itself is then looked at again."""
    return bool(getattr(model, "foreign", False))


def cannot_hide(model: Adapter) -> str:
    """Return why no genes can be hidden from a model that predicts them, or an empty string."""
    return str(getattr(model, "cannot_hide", ""))


def as_builtins(info: ModelInfo) -> dict[str, Any]:
    """Return the card as JSON-able builtins."""
    from dataclasses import asdict

    return asdict(info)

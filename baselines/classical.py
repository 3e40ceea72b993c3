"""A baseline in the place of a candidate, so that a classical method can be put on trial like a model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.baselines import BASELINES, DRAWS, lacking
from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

CLASSICAL = ("hvg", "pca", "scvi", "harmony")
CITATIONS = {
    "hvg": "2,000 highly variable genes, log-normalised (scanpy, flavour seurat)",
    "pca": "50 principal components of the same genes",
    "scvi": "Lopez et al. 2018, Nature Methods, doi:10.1038/s41592-018-0229-2",
    "harmony": "Korsunsky et al. 2019, Nature Methods, doi:10.1038/s41592-019-0619-0",
}


@dataclass(frozen=True)
class Classical:
    """The adapter of a baseline.

    Attributes
    ----------
    name
        Of :data:`CLASSICAL`.
    settings
        What its function may ask for: ``seeds``, ``schedule``, ``device``, ``on``.
    draw
        Which of its seeds it is.
    """

    name: str
    settings: Mapping[str, Any]
    draw: int = 0
    _made: dict[str, list[npt.NDArray[np.float32]]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse one whose package is missing."""
        if missing := lacking(self.name):
            raise UsageProblem(missing)

    @property
    def info(self) -> ModelInfo:
        """The method's card."""
        return ModelInfo(
            name=self.name,
            citation=CITATIONS[self.name],
            code_licence="BSD-3-Clause",
            weights_licence="none: it is trained on the dataset itself",
            independent_cells=False,
            trains_on_target=True,
            pretraining=(),
            notes=("a classical method in the place of a model",),
        )

    @property
    def fingerprint(self) -> str:
        """Digest of its settings and the code that computes."""
        from zsgate.system.sources import code_of

        module = resolve_name(BASELINES[self.name]).__module__
        return f"{self.name}:{sorted(self._asked().items())}:{self.draw}:{code_of(module)}"

    def repeats(self) -> tuple[Classical, ...]:
        """Return it once for each of its seeds."""
        number = self.settings["seeds"] if self.name in DRAWS else 1
        return tuple(replace(self, draw=draw) for draw in range(number))

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return its rows of all cells, float32 (n_cells, n_dimensions); all seeds are drawn at once."""
        if dataset.digest not in self._made:
            self._made.clear()
            self._made[dataset.digest] = resolve_name(BASELINES[self.name])(dataset, **self._asked())[0]
        return self._made[dataset.digest][self.draw]

    def _asked(self) -> dict[str, Any]:
        taken = inspect.signature(resolve_name(BASELINES[self.name])).parameters
        return {key: value for key, value in self.settings.items() if key in taken}

"""Recipe: the settings that shape a score; scores of different recipes are never compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How a score is computed, as far as its value depends on it.

    Attributes
    ----------
    id
        Name a user asks for it by.
    distance
        Distance between cells, in the space and at the dimension the model gave.
    clusterer
        Name of the clusterer; partitions of two clusterers are not comparable.
    resolutions
        Resolutions of the sweep; the partition with the best NMI counts, the first of equal ones.
    n_neighbors
        Neighbours of a cell in the graph, itself included as in scanpy.
    weighted
        Whether edges of the graph carry weights.
    nmi_average
        Mean of the two entropies that normalises the mutual information.
    """

    id: str
    distance: str = "euclidean"
    clusterer: str = "louvain-igraph"
    resolutions: tuple[float, ...] = tuple(step / 10 for step in range(1, 21))
    n_neighbors: int = 15
    weighted: bool = False
    nmi_average: str = "arithmetic"

    @cached_property
    def hash(self) -> str:
        """First eight hex digits of the SHA-256 of the settings, the name left out."""
        settings = {name: value for name, value in self.as_dict().items() if name != "id"}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]

    def as_dict(self) -> dict[str, Any]:
        """Return builtins only."""
        return asdict(self) | {"resolutions": list(self.resolutions)}

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}"


DEFAULT = Recipe("default")

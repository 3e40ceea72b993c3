"""Recipe: the choices that shape a score; scores of different recipes are never compared.

``default`` is what a gate should ask. ``kedzierska2023`` repeats the choices of Kedzierska et al. (2023; Genome Biology
26:101, 2025) where they differ, to set a run beside the paper's numbers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

CHOICES = (
    "Euclidean distance between cells, in the space and at the dimension the model gave, in float32 with repair",
    "Louvain clusters by zsgate's own code, of a neighbour graph without weights",
    "mutual information over the arithmetic mean of the two entropies",
)


@dataclass(frozen=True)
class Recipe:
    """Every choice that the value of a score depends on.

    Attributes
    ----------
    id
        Name a user asks for it by.
    resolutions
        Resolutions of the sweep; the partition with the best NMI counts, the first of equal ones.
    n_neighbors
        Neighbours of a cell in the graph, itself included as in scanpy.
    embedded
        Number of cells of a dataset that are drawn within donors, at most, before anybody embeds them; None takes all.
    scored
        Number of cells drawn for scoring, after all of them were embedded; None scores all.
    hvg_on
        What the HVG baseline is computed on: the ``"counts"``, or what the file has in ``"X"``, as the paper's code.
    scvi
        How long scVI trains, and on what: until the validation ELBO ``"levels_off"``, on 2,000 genes, or as in the
        ``"paper"``, on all of them.
    preset
        How packaged checkpoints prepare their input: as their authors (``"official"``) or as the paper (``"paper"``),
        where pyproject.toml does not say it for the model.
    in_sample
        Whether the baselines of reconstruction (mean, average rank) are fitted on the cells they are scored on.
    gates, spares
        Metrics that decide under this recipe although they are advisory otherwise, and the other way round.
    describes
        Choices that the code makes for every recipe, in words; part of the hash, so that scores of another distance or
        clusterer are never compared.
    """

    id: str
    resolutions: tuple[float, ...] = tuple(step / 10 for step in range(1, 21))
    n_neighbors: int = 15
    embedded: int | None = 20_000
    scored: int | None = None
    hvg_on: str = "counts"
    scvi: str = "levels_off"
    preset: str = "official"
    in_sample: bool = False
    gates: tuple[str, ...] = ()
    spares: tuple[str, ...] = ()
    describes: tuple[str, ...] = CHOICES

    @cached_property
    def hash(self) -> str:
        """First eight hex digits of the SHA-256 of all choices, the name left out."""
        settings = {name: value for name, value in self.as_dict().items() if name != "id"}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]

    def as_dict(self) -> dict[str, Any]:
        """Return builtins only."""
        lists = {name: list(value) for name, value in asdict(self).items() if isinstance(value, tuple)}
        return asdict(self) | lists

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}"


DEFAULT = Recipe("default")
KEDZIERSKA2023 = Recipe(
    "kedzierska2023",
    embedded=None,
    scored=7500,
    hvg_on="X",
    scvi="paper",
    preset="paper",
    in_sample=True,
    gates=("batch_score", "mse_gep", "mse_gepc", "rank_correlation"),
    spares=("knn_mixing",),
)
RECIPES = {recipe.id: recipe for recipe in (DEFAULT, KEDZIERSKA2023)}

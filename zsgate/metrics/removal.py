"""Removal: leave-outs of metrics that have no short cut, by scoring the cells that remain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.embedding.shared import kept
from zsgate.metrics.metric import Columns
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import Recipe

Mask = npt.NDArray[np.bool_]
Score = Callable[[Mask], float]
Maker = Callable[[npt.NDArray[np.float32], Cells, Recipe], Score]


def by_removal(part: str, maker: Maker, key: Callable[[Cells], Mapping[str, Any]] = lambda _: {}) -> Columns:
    """Return the columns of a metric that is computed anew on the cells that remain.

    Parameters
    ----------
    part
        Name under which the values are kept.
    maker
        Given the rows of a draw, the cells and the recipe, returns the function that scores the cells of a mask;
        what all masks share is computed in it once.
    key
        What else of the cells decides the value.
    """

    def columns(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
        def compute() -> dict[str, list[list[float]]]:
            made = (maker(draw, cells, recipe) for draw in embedding.draws)
            return {part: [[score(mask) for mask in masks(cells)] for score in made]}

        found = kept(part, embedding, cells, recipe, key(cells), compute, maker.__module__)
        return np.array(found[part], dtype=float)

    return columns


def masks(cells: Cells) -> Iterator[Mask]:
    """Yield who remains: everybody, then all but each unit."""
    yield np.ones(cells.n_cells, dtype=bool)
    for unit in range(len(cells.names)):
        yield cells.units != unit

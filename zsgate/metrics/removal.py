"""Removal: leave-outs of metrics that have no short cut, by scoring the cells that remain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cache import Part, Scored, cached
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.metric import LeaveOuts
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import Recipe

Mask = npt.NDArray[np.bool_]
ScoreOf = Callable[[Mask], float]
Maker = Callable[[npt.NDArray[np.float32], Cells, Recipe], ScoreOf]


def by_removal(part: str, maker: Maker, key: Callable[[Cells], Mapping[str, str]] = lambda _: {}) -> LeaveOuts:
    """Return the leave-outs of a metric that is computed anew on the cells that remain.

    Parameters
    ----------
    part
        Name under which the values are cached.
    maker
        Given the rows of a draw, the cells and the recipe, returns the function that scores the cells of a mask;
        what all masks share is computed in it once. The cache follows the code of the module it is defined in.
    key
        What else of the cells decides the value.
    """

    def leave_outs(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
        def compute() -> Part:
            made = (maker(draw, cells, recipe) for draw in embedding.draws)
            return {part: [[score(mask) for mask in masks(cells)] for score in made]}

        found = cached(part, Scored(embedding, cells, recipe), maker.__module__, compute, key(cells))
        return np.array(found[part], dtype=float)

    return leave_outs


def masks(cells: Cells) -> Iterator[Mask]:
    """Yield who remains: everybody, then all but each unit."""
    yield np.ones(cells.n_cells, dtype=bool)
    for unit in range(len(cells.names)):
        yield cells.units != unit

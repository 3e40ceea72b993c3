"""Draws: what a baseline returns, and what it learnt on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# how an embedding was made, for the report: seeds, genes, epochs, and whatever needs a sentence
Notes = dict[str, str | int | list[int]]
# one embedding a seed, float32 (n_cells, n_dimensions); a baseline that draws nothing gives one
Draws = tuple[list[npt.NDArray[np.float32]], Notes]
# what was learnt of a dataset and can be applied to other counts of the same genes: positions of genes, axes, weights
Learnt = Sequence[npt.NDArray[Any]]
Keep = Callable[[Learnt], object]


def forget(_: Learnt) -> None:
    """Keep nothing of what was learnt."""

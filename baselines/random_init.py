"""Random init: the candidate's own architecture with the same tokens, untrained, over several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from zsgate.dataset import Dataset
    from zsgate.models.adapter import TwinMaker


def embed(
    dataset: Dataset, *, candidate: TwinMaker, seeds: int
) -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
    """Return (one float32 (n_cells, n_dimensions) a seed, notes).

    Parameters
    ----------
    dataset
        The cells.
    candidate
        A model with ``random_init(seed)``.
    seeds
        Number of twins.
    """
    draws = [candidate.random_init(seed).embed(dataset) for seed in range(seeds)]
    return draws, {"seeds": list(range(seeds))}

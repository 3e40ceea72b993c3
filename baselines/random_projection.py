"""Random projection: log counts on 64 random axes, what untrained twins are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.baselines.draws import Draws
from zsgate.data.counts import blocks
from zsgate.system import arrays

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

N_AXES = 64
SEEDS = (0, 1, 2)


def embed(dataset: Dataset) -> Draws:
    """Return (three draws, each float32 (n_cells, 64), notes).

    Nothing is learned, and distances between cells are kept but for an eighth or so (Johnson and Lindenstrauss 1984,
    Contemporary Mathematics 26:189): it is what an architecture comes to that mixes all genes by random weights.

    Parameters
    ----------
    dataset
        The cells.
    """
    return [_projected(dataset, seed) for seed in SEEDS], {"axes": N_AXES, "seeds": list(SEEDS)}


def _projected(dataset: Dataset, seed: int) -> npt.NDArray[np.float32]:
    axes = np.random.default_rng(seed).standard_normal((len(dataset.symbols), N_AXES), dtype=np.float32)
    rows = arrays.empty((dataset.n_cells, N_AXES))
    for part, block in blocks(dataset.counts):
        rows[part] = block.log1p() @ axes / np.float32(np.sqrt(N_AXES))
    return rows

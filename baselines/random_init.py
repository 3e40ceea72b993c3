"""Random init: the candidate's own architecture with the same tokens, untrained, over several seeds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.baselines.draws import Draws
from zsgate.models.embedding import in_shards
from zsgate.system import arrays
from zsgate.system.parallel.parts import Parts

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.models.adapter import TwinMaker


def embed(dataset: Dataset, *, candidate: TwinMaker, seeds: int, parts: Parts | None = None) -> Draws:
    """Return (one float32 (n_cells, n_dimensions) a seed, notes).

    Parameters
    ----------
    dataset
        The cells.
    candidate
        A model with ``random_init(seed)``.
    seeds
        Number of twins.
    parts
        Where the rows of each twin are kept until all are there.

    Raises
    ------
    ValueError
        If a twin's rows are unusable or of two kinds at most, or the same for two seeds: one twin would pass for
        several, without any spread.
    """
    twins = {f"the twin of seed {seed}": partial(candidate.random_init, seed) for seed in range(seeds)}
    draws = in_shards(twins, dataset, parts or Parts(), apart=candidate.info.independent_cells)
    for seed, rows in enumerate(draws):
        _refuse_few_kinds(rows, f"{candidate.info.name}: the twin of seed {seed}")
        if seed and all(np.array_equal(rows[part], draws[seed - 1][part]) for part in arrays.stretches(rows)):
            msg = (
                f"{candidate.info.name}: random_init({seed - 1}) and random_init({seed}) embed every cell alike; "
                "draw the untrained weights from the seed"
            )
            raise ValueError(msg)
    return [arrays.moved(rows) for rows in draws], {"seeds": list(range(seeds))}


def _refuse_few_kinds(rows: npt.NDArray[np.float32], whose: str) -> None:
    """Refuse rows of at most two kinds, against which anything wins; constant ones are none at all."""
    kinds = np.empty((0, rows.shape[1]), np.float32)
    for part in arrays.stretches(rows):
        kinds = np.unique(np.concatenate([kinds, rows[part]]), axis=0)
        if len(kinds) > 2:
            return
    if len(rows) > 2:
        msg = f"{whose} has {len(kinds)} different rows for {len(rows)} cells: that is no untrained model to beat"
        raise ValueError(msg)

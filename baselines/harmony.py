"""Harmony (Korsunsky et al. 2019) on the components of PCA, by the batches of the dataset.

harmony-pytorch computes it (Li et al. 2020, Pegasus; BSD licence), with its defaults, which are the paper's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.baselines import lacking, pca
from zsgate.baselines.draws import Draws
from zsgate.errors import UsageProblem
from zsgate.system.progress import steps

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset


def embed(dataset: Dataset, *, seeds: int, device: str = "cpu") -> Draws:
    """Return (corrected components, one float32 (n_cells, up to 50) a seed, notes).

    A seed decides where k-means begins. Cells of a single batch keep the components of PCA, once for each seed.

    Parameters
    ----------
    dataset
        The cells.
    seeds
        Number of runs.
    device
        ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    UsageProblem
        If harmony-pytorch is not installed.
    """
    if missing := lacking("harmony"):
        raise UsageProblem(missing)
    import pandas as pd
    import torch
    from harmony import harmonize

    (components,), notes = pca.embed(dataset)
    if dataset.batches is None or len(np.unique(dataset.batches)) == 1:
        return [components] * seeds, {**notes, "remark": "one batch: nothing to correct"}
    batches = pd.DataFrame({"batch": dataset.batches.astype(object)})
    given = {"use_gpu": device == "cuda", "n_jobs": torch.get_num_threads(), "verbose": False}
    found: list[npt.NDArray[np.float32]] = []
    state = np.random.get_state()  # noqa: NPY002  it seeds NumPy's own generator
    try:
        with steps("harmony: seeds done", seeds) as advance:
            for seed in range(seeds):
                rows = harmonize(components, batches, "batch", random_state=seed, **given)
                found.append(np.ascontiguousarray(rows, dtype=np.float32))
                advance(1)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return found, {**notes, "seeds": list(range(seeds))}

"""Layout: cells in two dimensions, for the eye alone; nothing is scored in them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Floats
from zsgate.metrics.neighbours.knn import Neighbours

NEIGHBOURS, SEED = 15, 0
_SPREAD = 10.0  # of the first two principal components at the start, as umap-learn scales what it starts from


def layout(rows: npt.NDArray[Any]) -> Floats:
    """Return a UMAP (McInnes et al. 2018) of cells, by umap-learn on exact neighbours.

    Parameters
    ----------
    rows
        Their embedding, shape (n_cells, n_dimensions), of more than 15 cells.

    Returns
    -------
    Positions in [0, 1], shape (n_cells, 2).

    Raises
    ------
    ModuleNotFoundError
        Without umap-learn.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorflow, and that a seed leaves one thread
        from umap import UMAP

        search = Neighbours(rows, NEIGHBOURS - 1)
        found, _ = search.among(np.ones(len(rows), dtype=bool))
        itself = np.arange(len(rows))
        distances = search.distances(itself, found)
        known = (
            np.column_stack([itself, found]).astype(np.int32),
            np.column_stack([np.zeros(len(rows)), distances]).astype(np.float32),
        )
        fit = UMAP(NEIGHBOURS, n_epochs=200, min_dist=0.5, init=_start(rows), random_state=SEED, precomputed_knn=known)
        places = fit.fit_transform(rows).astype(np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.where(high > low, high - low, 1.0))


def _start(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the first two principal components, scaled; noise in the place of one that there is not."""
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    found = np.random.default_rng(SEED).normal(scale=1e-4, size=(len(rows), 2))
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    there = sizes[:2] > 1e-9 * sizes[0] if sizes[0] > 0 else np.zeros(min(2, len(sizes)), dtype=bool)
    parts = (left[:, :2] * sizes[:2])[:, there]
    signs = np.sign(parts[np.abs(parts).argmax(axis=0), np.arange(parts.shape[1])])
    found[:, : parts.shape[1]] += parts * signs
    return np.asarray(found * _SPREAD / max(np.abs(found).max(), 1e-12), dtype=np.float32)

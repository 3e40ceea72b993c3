"""Principal component regression: how much of the embedding's variance the batches explain."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.dataset import Dataset
from zsgate.metrics.cells import Cells, Codes, Floats
from zsgate.metrics.embedding.silhouette import silhouettes
from zsgate.metrics.metric import Metric
from zsgate.metrics.removal import Mask, ScoreOf, by_removal
from zsgate.models.embedding import Embedding
from zsgate.system import arrays
from zsgate.verdict.recipe import Recipe

N_COMPONENTS = 50
BLOCK = 4096  # cells at a time
Product = Callable[[Floats], Floats]  # of a matrix with a vector


def regression(rows: npt.NDArray[Any] | sp.csr_matrix, cells: Cells, recipe: Recipe) -> ScoreOf:
    """Return what gives the share of variance that batches explain among the cells of a mask."""
    if not sp.issparse(rows) and rows.shape[1] <= rows.shape[0]:
        return _by_products(rows, cells.batches)

    def score(remaining: Mask) -> float:
        return explained(rows[np.flatnonzero(remaining)], cells.batches[remaining])

    return score


def _by_products(rows: npt.NDArray[Any], batches: Codes) -> ScoreOf:
    """Return the same as :func:`explained`, from sums and products from which those of the absent are taken away."""
    n_batches, d = int(batches.max()) + 1, rows.shape[1]
    origin = rows.mean(axis=0, dtype=np.float64)

    def moments(chosen: Codes) -> tuple[Floats, Floats, Floats]:
        sums, products = np.zeros((n_batches, d)), np.zeros((d, d))
        for start in range(0, len(chosen), BLOCK):
            some = chosen[start : start + BLOCK]
            block = rows[some] - origin
            products += block.T @ block
            np.add.at(sums, batches[some], block)
        return np.bincount(batches[chosen], minlength=n_batches).astype(np.float64), sums, products

    whole = moments(np.arange(len(rows)))

    def score(remaining: Mask) -> float:
        absent = moments(np.flatnonzero(~remaining))
        sizes, sums, products = (every - some for every, some in zip(whole, absent, strict=True))
        known = sizes > 0
        if known.sum() < 2:
            return math.nan
        mean = sums.sum(axis=0) / sizes.sum()
        between = (sums - sizes[:, None] * mean)[known]
        variances, axes = _largest(products - sizes.sum() * np.outer(mean, mean))
        with np.errstate(invalid="ignore"):
            return float((((between @ axes) ** 2) / sizes[known, None]).sum() / variances.sum())

    return score


def _largest(scatter: Floats) -> tuple[Floats, Floats]:
    """Return the 50 largest eigenvalues and their vectors as columns; the diagonal where there are no more."""
    from scipy.linalg import eigh

    d = len(scatter)
    if d <= N_COMPONENTS:
        return np.diag(scatter), np.eye(d)
    variances, axes = eigh(scatter, subset_by_index=(d - N_COMPONENTS, d - 1))
    return variances, axes


def explained(rows: npt.NDArray[Any] | sp.csr_matrix, batches: Codes) -> float:
    """Return the R2 of each principal component on the batches, weighted by its variance (Buttner et al. 2019).

    Parameters
    ----------
    rows
        Cells, dense or sparse, shape (n_cells, n_dimensions).
    batches
        Batch of each cell, shape (n_cells,).

    Returns
    -------
    0 to 1; NaN with fewer than two batches.
    """
    return math.nan if len(np.unique(batches)) < 2 else _share(_components(rows), batches)


def _share(scores: Floats, batches: Codes) -> float:
    """Return the share of the variance of centred components that batches explain."""
    _, own, sizes = np.unique(batches, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), scores.shape[1]))
    np.add.at(sums, own, scores)
    # the components are centred, so the sum of squares between batches is all that the regression explains
    return float((sums**2 / sizes[:, None]).sum() / (scores**2).sum())


def _components(rows: npt.NDArray[Any] | sp.csr_matrix) -> Floats:
    """Return the cells on the first 50 components; all of them where there are no more, rotated or not."""
    mean = np.asarray(rows.mean(axis=0), dtype=np.float64).ravel()
    if min(rows.shape) <= N_COMPONENTS:
        return np.asarray((rows.toarray() if isinstance(rows, sp.csr_matrix) else rows) - mean)
    wide = rows.astype(np.float64)
    return _rotated(rows.shape, mean, lambda x: wide @ x, lambda y: wide.T @ y)


def _rotated(shape: tuple[int, int], mean: Floats, times: Product, transposed: Product) -> Floats:
    """Return the cells on the first 50 components of a matrix that is known by its products with vectors."""
    from scipy.sparse.linalg import LinearOperator, svds

    centred = LinearOperator(
        shape,
        matvec=lambda x: times(x.ravel()) - mean @ x.ravel(),
        rmatvec=lambda y: transposed(y.ravel()) - mean * y.sum(),
        dtype=np.float64,
    )
    start = np.random.default_rng(0).normal(size=min(shape))
    # the share errs by the square of the tolerance: 1e-11 on real cells
    left, singular, _ = svds(centred, k=N_COMPONENTS, v0=start, tol=1e-3, return_singular_vectors="u")
    return np.asarray(left * singular)


def compared(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    """Return max(0, (before - after) / before), with the explained shares in the counts and in the embedding.

    Raises
    ------
    ValueError
        If the labels did not come as a Dataset, so that there are no counts.
    """
    if cells.dataset is None:
        msg = "pcr_comparison compares with the counts: pass the Dataset, not arrays of labels"
        raise ValueError(msg)
    nobody = np.zeros((cells.n_cells, 1), dtype=np.float32)  # what the counts say does not depend on the embedding
    before = _of_counts(replace(embedding, draws=(nobody,)), cells, recipe, seeds)
    after = _of_embedding(embedding, cells, recipe, seeds)
    return np.asarray(np.maximum(0, (before - after) / before))


def averaged(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    """Return the mean of the PCR comparison and the batch integration score."""
    cleared = compared(embedding, cells, recipe, seeds)
    mixed = np.array(silhouettes(embedding, cells, recipe)["batch_score"])[:, : cleared.shape[1]]
    return np.asarray((cleared + mixed) / 2)


def _counts(_: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> ScoreOf:
    from zsgate.data.mapped import place_of
    from zsgate.data.preprocess import log_normalised

    assert cells.dataset is not None
    if place_of(cells.dataset.counts) is not None and min(cells.dataset.counts.shape) > 2 * N_COMPONENTS:
        return _of_counts_on_disk(cells.dataset, cells)
    return regression(log_normalised(cells.dataset), cells, recipe)


def _of_counts_on_disk(dataset: Dataset, cells: Cells) -> ScoreOf:
    """Return the same as :func:`regression` of the log-normalised counts, which are in memory a block at a time."""
    from zsgate.data.counts import blocks
    from zsgate.data.preprocess import logged_blocks

    counts = dataset.counts
    values = arrays.empty((counts.nnz,))
    for part, block in logged_blocks(dataset):
        values[counts.indptr[part.start] : counts.indptr[part.stop]] = block.data
    logged = sp.csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape, copy=False)

    def score(remaining: Mask) -> float:
        batches = cells.batches[remaining]
        if len(np.unique(batches)) < 2:
            return math.nan

        def times(x: Floats) -> Floats:
            return np.concatenate([block @ x for _, block in blocks(logged)])[remaining]

        def transposed(y: Floats) -> Floats:
            spread = np.zeros(cells.n_cells)
            spread[remaining] = y
            return np.asarray(sum(block.T @ spread[part] for part, block in blocks(logged)))

        shape = (len(batches), counts.shape[1])
        return _share(_rotated(shape, transposed(np.ones(shape[0])) / shape[0], times, transposed), batches)

    return score


def _identity(cells: Cells) -> dict[str, str]:
    return {} if cells.dataset is None else {"dataset": cells.dataset.digest}


_of_embedding = by_removal("pcr", regression)
_of_counts = by_removal("pcr of the counts", _counts, key=_identity)

pcr = Metric(
    "pcr",
    "Principal component regression: the share of the variance of the embedding's first 50 principal components that "
    "the batches explain (Buttner et al. 2019); 0 to 1, LOWER is better. Noise has about 0, and where batches differ "
    "in their cell types a good embedding must let them explain something.",
    _of_embedding,
    claim="batches",
    uses_batches=True,
    higher_is_better=False,
    advisory=True,
    on_request=True,
)
pcr_comparison = Metric(
    "pcr_comparison",
    "PCR comparison: by how much less the batches explain in the embedding than in the log-normalised counts, as a "
    "share, at least 0 (Luecken et al. 2022); higher is better. Noise has about 1, and differences below 0 are cut "
    "off, so two embeddings that both add batch effects are equal.",
    compared,
    claim="batches",
    uses_batches=True,
    advisory=True,
    on_request=True,
)
avg_batch = Metric(
    "avg_batch",
    "Average batch score: the mean of pcr_comparison and batch_score (Kedzierska et al. 2025); 0 to 1, higher is "
    "better. Noise wins both, so it counts only with evidence of cell-type signal.",
    averaged,
    claim="batches",
    uses_batches=True,
    advisory=True,
    on_request=True,
)

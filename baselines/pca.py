"""PCA: 50 components of the same 2,000 log-normalised genes, centred, not scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.baselines.normalise import highly_variable, log_normalised

if TYPE_CHECKING:
    from zsgate.dataset import Dataset

N_COMPONENTS = 50


def embed(dataset: Dataset) -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
    """Return ([float32 (n_cells, up to 50)], notes).

    The components are eigenvectors of the genes' covariance, which is built from the sparse matrix: the cells are
    never made dense. The largest loading of each is positive, so the result does not depend on the solver.
    """
    from scipy.linalg import eigh

    logged = log_normalised(dataset)
    genes = highly_variable(logged)
    x = logged[:, genes].astype(np.float64)
    n, d = x.shape
    k = min(N_COMPONENTS, n - 1, d)
    mean = np.asarray(x.mean(axis=0)).ravel()
    covariance = (x.T @ x).toarray() / n - np.outer(mean, mean)
    _, vectors = eigh(covariance, subset_by_index=(d - k, d - 1))
    vectors = vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(k)])
    scores = x @ vectors - mean @ vectors
    return [scores.astype(np.float32)], {"genes": len(genes), "components": k}

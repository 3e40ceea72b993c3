"""PCA: 50 components of the same 2,000 log-normalised genes, centred, not scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zsgate.baselines.draws import Draws
from zsgate.data.preprocess import highly_variable, logged_blocks

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

N_COMPONENTS = 50


def embed(dataset: Dataset) -> Draws:
    """Return ([float32 (n_cells, up to 50)], notes).

    The components are eigenvectors of the genes' covariance, which is built from the sparse matrix: the cells are
    never made dense. The largest loading of each is positive, so the result does not depend on the solver.
    """
    from scipy.linalg import eigh

    genes = highly_variable(dataset)
    n, d = dataset.n_cells, len(genes)
    k = min(N_COMPONENTS, n - 1, d)
    total, products = np.zeros(d), np.zeros((d, d))
    for _, x in logged_blocks(dataset, genes):
        x = x.astype(np.float64)
        total += np.asarray(x.sum(axis=0)).ravel()
        products += (x.T @ x).toarray()
    mean = total / n
    covariance = products / n - np.outer(mean, mean)
    _, vectors = eigh(covariance, subset_by_index=(d - k, d - 1))
    vectors = vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(k)])
    scores = np.concatenate([x @ vectors - mean @ vectors for _, x in logged_blocks(dataset, genes)])
    return [scores.astype(np.float32)], {"genes": len(genes), "components": k}

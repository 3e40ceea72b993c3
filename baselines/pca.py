"""PCA: 50 components of the same 2,000 log-normalised genes, centred, not scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.baselines.draws import Draws, Keep, Learnt, forget
from zsgate.data.counts import blocks
from zsgate.data.preprocess import highly_variable, logged, logged_blocks
from zsgate.system.parallel.parts import Parts, runs

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

N_COMPONENTS = 50
RUN = 100_000  # cells whose products are summed at a time


def embed(dataset: Dataset, *, keep: Keep = forget, parts: Parts | None = None) -> Draws:
    """Return ([float32 (n_cells, up to 50)], notes).

    The components are eigenvectors of the genes' covariance, which is built from the sparse matrix: the cells are
    never made dense. The largest loading of each is positive, so the result does not depend on the solver.

    Parameters
    ----------
    dataset
        The cells.
    keep
        Is handed the positions of the genes, their means and the axes.
    parts
        Where the sums over runs of cells are kept until all are there.
    """
    from scipy.linalg import eigh

    genes = highly_variable(dataset)
    n, d = dataset.n_cells, len(genes)
    k = min(N_COMPONENTS, n - 1, d)
    pieces = {f"cells {start} to {stop}": (start, stop) for start, stop in runs(n, RUN)}
    sums = (parts or Parts()).each(list(pieces), lambda names: (_sums(dataset, genes, pieces[name]) for name in names))
    total, products = (sum(each, np.zeros(each[0].shape)) for each in zip(*sums, strict=True))
    mean = total / n
    covariance = products / n - np.outer(mean, mean)
    _, vectors = eigh(covariance, subset_by_index=(d - k, d - 1))
    vectors = vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(k)])
    learnt = [genes, mean, vectors]
    keep(learnt)
    return project(learnt, dataset), {"genes": len(genes), "components": k}


def _sums(dataset: Dataset, genes: npt.NDArray[np.intp], cells: tuple[int, int]) -> list[npt.NDArray[np.float64]]:
    """Return the sums of genes (d,) and of their products (d, d) over a run of cells."""
    total, products = np.zeros(len(genes)), np.zeros((len(genes), len(genes)))
    for _, x in logged(blocks(dataset.counts, cells=cells), genes):
        x = x.astype(np.float64)
        total += np.asarray(x.sum(axis=0)).ravel()
        products += (x.T @ x).toarray()
    return [total, products]


def project(learnt: Learnt, dataset: Dataset) -> list[npt.NDArray[np.float32]]:
    """Return [float32 (n_cells, n_components)]: other counts of the same genes on the same axes."""
    genes, mean, vectors = learnt
    scores = np.concatenate([x @ vectors - mean @ vectors for _, x in logged_blocks(dataset, genes)])
    return [scores.astype(np.float32)]

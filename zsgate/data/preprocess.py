"""Preprocessing that HVG and PCA share: every cell scaled to 10,000 counts, log1p, highly variable genes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.counts import blocks

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

N_TOP_GENES = 2000
Rows = TypeVar("Rows", slice, npt.NDArray[np.intp])
Blocks = Iterator[tuple[Rows, sp.csr_matrix]]


def log_normalised(dataset: Dataset, genes: npt.NDArray[np.intp] | None = None) -> sp.csr_matrix:
    """Return log(1 + counts scaled to 10,000 per cell), CSR float32 (n_cells, n_genes).

    As ``normalize_total`` and ``log1p`` of scanpy do. An empty cell stays zero. With ``genes`` (positions), only those
    columns are returned; cells are scaled by the counts of all genes.
    """
    return sp.vstack([block for _, block in logged_blocks(dataset, genes)], format="csr")


def logged_blocks(dataset: Dataset, genes: npt.NDArray[np.intp] | None = None) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Yield (rows, their log-normalised expression) block by block, so that all counts are never copied at once."""
    return logged(blocks(dataset.counts), genes)


def logged(values: Iterable[tuple[Rows, sp.csr_matrix]], genes: npt.NDArray[np.intp] | None = None) -> Blocks[Rows]:
    """Yield (rows, log(1 + values scaled to 10,000 per cell)) of each block of values, which is overwritten."""
    for rows, counts in values:
        totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
        counts.data = np.log1p(counts.data * (1e4 / np.repeat(totals, np.diff(counts.indptr)))).astype(np.float32)
        yield rows, counts if genes is None else counts[:, genes]


def highly_variable(dataset: Dataset, n_top: int = N_TOP_GENES) -> npt.NDArray[np.intp]:
    """Return the positions of the ``n_top`` most dispersed genes; see :func:`most_dispersed`."""
    return most_dispersed(logged_blocks(dataset), dataset.counts.shape, n_top)


def most_dispersed(logs: Blocks[Any], shape: tuple[int, int], n_top: int = N_TOP_GENES) -> npt.NDArray[np.intp]:
    """Return the positions of the ``n_top`` most dispersed genes, ascending.

    The ``seurat`` flavour (Satija et al. 2015) as scanpy implements it: dispersions of the expm1 values, z-scored
    within 20 bins of mean expression; genes that no cell expresses are never chosen.

    Parameters
    ----------
    logs
        The log-normalised expression, block by block; it is overwritten.
    shape
        (n_cells, n_genes) of all blocks together.
    n_top
        Number of genes, of equally dispersed ones the first; all that vary if there are fewer.

    Raises
    ------
    ValueError
        If no gene can be ranked: none varies, or all vary alike.
    """
    import pandas as pd

    n, n_genes = shape
    total, square = np.zeros(n_genes), np.zeros(n_genes)
    for _, raw in logs:
        raw.data = np.expm1(raw.data.astype(np.float64))
        total += np.asarray(raw.sum(axis=0)).ravel()
        square += np.asarray(raw.multiply(raw).sum(axis=0)).ravel()
    mean = total / n
    variance = (square / n - mean**2) * n / (n - 1)
    mean[mean == 0] = 1e-12
    dispersion = variance / mean
    dispersion[dispersion <= 0] = np.nan  # a constant gene's variance may round below zero
    frame = pd.DataFrame({"dispersion": np.log(dispersion), "bin": pd.cut(np.log1p(mean), bins=20)})
    grouped = frame.groupby("bin", observed=True)["dispersion"]
    centre, spread = grouped.transform("mean"), grouped.transform("std")
    # a bin of one gene has no spread: scanpy gives it a normalised dispersion of one
    single = spread.isna() & frame["dispersion"].notna()
    spread, centre = spread.mask(single, centre), centre.mask(single, 0.0)
    normalised = ((frame["dispersion"] - centre) / spread).to_numpy()
    order = np.argsort(-np.nan_to_num(normalised, nan=-np.inf), kind="stable")
    n_known = int(np.isfinite(normalised).sum())
    if not n_known:
        msg = "no gene stands out: none varies between cells, or all vary alike"
        raise ValueError(msg)
    return np.sort(order[: min(n_top, n_known)])

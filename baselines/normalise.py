"""The recipe the linear baselines share: library size to 10,000, log1p, highly variable genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

if TYPE_CHECKING:
    from zsgate.dataset import Dataset

N_TOP_GENES = 2000


def log_normalised(dataset: Dataset) -> sp.csr_matrix:
    """Return log(1 + counts scaled to 10,000 per cell), CSR float32, as ``normalize_total`` and ``log1p``.

    An empty cell stays zero.
    """
    counts = dataset.counts
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    scaled = counts.copy()
    scaled.data = np.log1p(scaled.data * (1e4 / np.repeat(totals, np.diff(counts.indptr)))).astype(np.float32)
    return scaled


def highly_variable(logged: sp.csr_matrix, n_top: int = N_TOP_GENES) -> npt.NDArray[np.intp]:
    """Return the columns of the ``n_top`` most dispersed genes, in matrix order.

    The ``seurat`` flavour (Satija et al. 2015) as scanpy implements it: dispersions of the expm1 values, z-scored
    within 20 bins of mean expression; genes that no cell expresses are never chosen.

    Parameters
    ----------
    logged
        Log-normalised expression (n_cells, n_genes).
    n_top
        Number of genes, of equally dispersed ones the first; all that vary if there are fewer.

    Raises
    ------
    ValueError
        If no gene can be ranked: none varies, or all vary alike.
    """
    import pandas as pd

    raw = logged.copy()
    raw.data = np.expm1(raw.data.astype(np.float64))
    n = raw.shape[0]
    mean = np.asarray(raw.mean(axis=0)).ravel()
    square = np.asarray(raw.multiply(raw).mean(axis=0)).ravel()
    variance = (square - mean**2) * n / (n - 1)
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

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
    """Return log(1 + counts scaled to 10,000 per cell), CSR float32, as ``normalize_total`` and ``log1p``."""
    counts = dataset.counts
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    totals[totals == 0] = 1e4  # an empty cell stays zero
    scaled = counts.copy()
    scaled.data = np.log1p(scaled.data * np.repeat(1e4 / totals, np.diff(counts.indptr))).astype(np.float32)
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
        Number of genes; all expressed genes if there are fewer.
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
    dispersion[dispersion == 0] = np.nan
    frame = pd.DataFrame({"dispersion": np.log(dispersion), "bin": pd.cut(np.log1p(mean), bins=20)})
    grouped = frame.groupby("bin", observed=True)["dispersion"]
    centre, spread = grouped.transform("mean"), grouped.transform("std")
    # a bin of one gene has no spread: scanpy gives it a normalised dispersion of one
    single = spread.isna() & frame["dispersion"].notna()
    spread, centre = spread.mask(single, centre), centre.mask(single, 0.0)
    normalised = ((frame["dispersion"] - centre) / spread).to_numpy()
    order = np.argsort(-np.nan_to_num(normalised, nan=-np.inf), kind="stable")
    n_known = int(np.isfinite(normalised).sum())
    return np.sort(order[: min(n_top, n_known)])

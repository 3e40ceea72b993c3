"""HVG: the log-normalised expression of the 2,000 most variable genes, as it is.

Kedzierska et al. 2023: no PCA, no scaling. From raw counts; their released code log-normalised twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate import spill
from zsgate.baselines.normalise import highly_variable, logged_blocks

if TYPE_CHECKING:
    from zsgate.dataset import Dataset


def embed(dataset: Dataset) -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
    """Return ([float32 (n_cells, up to 2,000)], notes); of many cells the rows lie in a mapped file."""
    genes = highly_variable(dataset)
    rows = spill.empty((dataset.n_cells, len(genes)))
    for part, logged in logged_blocks(dataset, genes):
        logged.toarray(out=rows[part])
    return [rows], {"genes": len(genes)}

"""HVG: the log-normalised expression of the 2,000 most variable genes, as it is.

Kedzierska et al. 2023: no PCA, no scaling. From raw counts; their released code log-normalised twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.baselines.normalise import highly_variable, log_normalised

if TYPE_CHECKING:
    from zsgate.dataset import Dataset


def embed(dataset: Dataset) -> tuple[list[npt.NDArray[np.float32]], dict[str, Any]]:
    """Return ([float32 (n_cells, up to 2,000)], notes)."""
    genes = highly_variable(dataset)
    return [log_normalised(dataset, genes).toarray()], {"genes": len(genes)}

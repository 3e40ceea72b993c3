"""HVG: the log-normalised expression of the 2,000 most variable genes, as it is.

Kedzierska et al. 2023: no PCA, no scaling. From raw counts; the paper's recipe takes what the file has in X, as the
released code does, whatever was done to it before: that of the Pancreas is log-normalised, and so is logged twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.baselines.draws import Draws, Keep, Learnt, forget
from zsgate.data.preprocess import highly_variable, logged, logged_blocks, most_dispersed
from zsgate.system import arrays

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.data.expression import Expression

MIN_CELLS = 10  # of the paper: genes seen in fewer cells are dropped


def embed(dataset: Dataset, on: str = "counts", *, keep: Keep = forget) -> Draws:
    """Return ([float32 (n_cells, up to 2,000)], notes); of many cells the rows lie in a mapped file.

    Parameters
    ----------
    dataset
        The cells.
    on
        ``"counts"``, or ``"X"``: what the file has there. Where that is nothing or cannot be logged, the counts are
        taken and the notes say so.
    keep
        Is handed the positions of the genes where these are chosen by the counts.
    """
    if on == "X":
        if dataset.expression is None:
            return _on_counts(dataset, keep, "the counts, for no X beside them is at hand")
        seen, fault = dataset.expression.detection()
        if fault:
            return _on_counts(dataset, keep, f"the counts, for X holds {fault}")
        return _on_x(dataset.expression, np.flatnonzero(seen >= MIN_CELLS))
    return _on_counts(dataset, keep)


def project(learnt: Learnt, dataset: Dataset) -> list[npt.NDArray[np.float32]]:
    """Return [float32 (n_cells, n_genes)]: the same genes of other counts."""
    (genes,) = learnt
    rows = arrays.empty((dataset.n_cells, len(genes)))
    for part, block in logged_blocks(dataset, genes):
        block.toarray(out=rows[part])
    return [rows]


def _on_counts(dataset: Dataset, keep: Keep, said: str = "") -> Draws:
    genes = highly_variable(dataset)
    keep([genes])
    return project([genes], dataset), {"genes": len(genes), **({"computed on": said} if said else {})}


def _on_x(x: Expression, kept: npt.NDArray[np.intp]) -> Draws:
    n_cells = len(x.rows)
    genes = most_dispersed(logged((at, block[:, kept]) for at, block in x.blocks()), (n_cells, len(kept)))
    rows = arrays.empty((n_cells, len(genes)))
    for part, block in logged(((at, block[:, kept]) for at, block in x.blocks()), genes):
        rows[part] = block.toarray()
    return [rows], {"genes": len(genes), "computed on": f"X of {x.path.name}, as the paper's code does"}

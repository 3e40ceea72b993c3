"""What the code of Kedzierska et al. (2023) shows a model: X of a file, often log-normalised, and not its counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.data.expression import Expression


@dataclass(frozen=True)
class PaperInput:
    """X of the file a dataset was read from, on the dataset's cells and genes.

    Attributes
    ----------
    expression
        X, still on disk.
    place
        The dataset's column of each gene of X, int32; -1 where the dataset lacks it.
    n_genes
        Columns of the dataset.
    """

    expression: Expression
    place: npt.NDArray[np.int32]
    n_genes: int

    @classmethod
    def of(cls, dataset: Dataset) -> Self | None:
        """Return it, or None where the file has no X beside its counts, or one that no count can be."""
        if dataset.expression is None or dataset.expression.fault:
            return None
        symbols, ensembl = dataset.expression.gene_names()
        theirs, ours = ensembl, dataset.ensembl
        if theirs is None or ours is None:  # raw and X may name their genes differently
            theirs, ours = symbols, dataset.symbols
        column = {name: place for place, name in reversed(list(enumerate(ours.tolist())))}  # of equal ones the first
        place = np.array([column.get(name, -1) for name in theirs.tolist()], dtype=np.int32)
        return cls(dataset.expression, place, len(ours))

    def rows(self, start: int, stop: int) -> sp.csr_matrix:
        """Return the values of the cells start to stop, float32 CSR (stop - start, n_genes)."""
        found = self.expression.values(slice(start, stop))
        columns = self.place[found.indices]
        kept = columns >= 0
        ends = np.concatenate([[0], np.cumsum(kept)])[found.indptr]
        entries = (found.data[kept].astype(np.float32), columns[kept], ends.astype(np.int32))
        values = sp.csr_matrix(entries, shape=(found.shape[0], self.n_genes))
        values.sort_indices()
        return values


def describe_input(dataset: Dataset) -> str:
    """Return in words what the paper's preset reads of a dataset."""
    if dataset.expression is None:
        return "the counts, for no X beside them is at hand"
    fault = dataset.expression.fault
    return (
        f"the counts, for X holds {fault}"
        if fault
        else f"X of {dataset.expression.path.name}, as the paper's code does"
    )

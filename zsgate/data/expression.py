"""Expression: what a file has in X beside its counts; it is not read until somebody asks for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.file.anndata_file import identity_of, open_file
from zsgate.data.file.matrix import Matrix, by_rows
from zsgate.data.genes import gene_names

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Expression:
    """Values of cells by genes as the authors of a file normalised them; the genes need not be the dataset's.

    Attributes
    ----------
    path
        The ``.h5ad`` file or ``.zarr`` store.
    rows
        Row of each cell in it, shape (n_cells,).
    """

    path: Path
    rows: Codes
    _copy: list[Matrix] = field(default_factory=list, repr=False)  # of a matrix by columns; all subsets share it

    def subset(self, cells: Codes) -> Expression:
        """Return that of the cells at these positions, in that order."""
        return replace(self, rows=self.rows[cells])

    @property
    def identity(self) -> dict[str, object]:
        """What tells these values from others without reading them."""
        return {**identity_of(self.path), "rows": hashlib.sha256(self.rows.astype(np.int64).tobytes()).hexdigest()}

    @cached_property
    def fault(self) -> str:
        """What forbids a logarithm of the values, or an empty string."""
        return self.detection()[1]

    def gene_names(self) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_] | None]:
        """Return (symbols, Ensembl ids or None) of its genes, as a dataset of the file has them."""
        with open_file(self.path) as file:
            symbols, ensembl, _ = gene_names(file.var("X"))
        return symbols, ensembl

    def values(self, cells: slice) -> sp.csr_matrix:
        """Return the values of some consecutive cells, shape (n_cells, n_genes)."""
        rows = self.rows[cells]
        first, end = int(rows.min()), int(rows.max()) + 1
        with self._by_rows() as matrix:
            return matrix.rows(first, end)[rows - first]

    def blocks(self) -> Iterator[tuple[Codes, sp.csr_matrix]]:
        """Yield (positions of some cells, their values), each cell once, in the order of the file.

        Raises
        ------
        UsageProblem
            If the file can no longer be read.
        """
        order = np.argsort(self.rows, kind="stable")
        ordered = self.rows[order]
        with self._by_rows() as matrix:
            for first, block in matrix.blocks():
                here = slice(*np.searchsorted(ordered, [first, first + block.shape[0]]).tolist())
                if here.start < here.stop:
                    yield order[here], block[ordered[here] - first]

    @contextmanager
    def _by_rows(self) -> Iterator[Matrix]:
        """Open X; one that is stored by columns is copied once, by rows."""
        if self._copy:
            yield self._copy[0]
            return
        with open_file(self.path) as file:
            matrix = file.matrix("X")
            if matrix.form == "csc":
                matrix = by_rows(matrix)
                self._copy.append(matrix)
            yield matrix

    def detection(self) -> tuple[npt.NDArray[np.int64], str]:
        """Return (in how many of the cells each gene is above 0, shape (n_genes,); what forbids a logarithm).

        The second is empty where all values are finite and none is negative.
        """
        seen = np.zeros(0, dtype=np.int64)
        for _, block in self.blocks():
            if not np.isfinite(block.data).all():
                return seen, "NaN or infinite values"
            if block.data.min(initial=0) < 0:
                return seen, f"negative values, for example {block.data.min():g}"
            found = np.bincount(block.indices, minlength=block.shape[1])
            seen = found if not len(seen) else seen + found
        return seen, ""

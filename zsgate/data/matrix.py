"""Matrix: cells by genes, on disk or in memory, in any of AnnData's forms, read whole or some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.counts import as_counts, canonical
from zsgate.errors import UsageProblem

BLOCK = 1 << 23  # stored numbers that are read at a time: 64 MB as values and columns


@contextmanager
def boundary(complaint: str) -> Iterator[None]:
    """Say in one sentence what h5py, zarr, anndata or SciPy stumbled over: a damaged or newer file fails in any way."""
    try:
        yield
    except (UsageProblem, MemoryError):
        raise
    except Exception as error:  # the boundary to formats and their readers
        msg = f"{complaint} ({' '.join(str(error).split())})"
        raise UsageProblem(msg) from error


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of cells by genes, on disk or in memory, in any of AnnData's forms.

    Attributes
    ----------
    stored
        A group of data, indices and indptr, or an array.
    shape
        (n_cells, n_genes).
    form
        ``"csr"``, ``"csc"`` or ``"dense"``.
    where
        Names it in messages. What cannot be read of it is a UsageProblem.
    """

    stored: Any
    shape: tuple[int, int]
    form: str
    where: str = "the matrix"

    @property
    def n_stored(self) -> int:
        """How many numbers are stored."""
        return int(np.prod(self.shape)) if self.form == "dense" else int(self._part("data").shape[0])

    def whole(self) -> sp.csr_matrix:
        """Return all of it in the canonical form of counts."""
        with self.reading():
            if self.form == "dense":
                return as_counts(self.stored[...] if hasattr(self.stored, "shape") else self.stored)
            arrays = [np.asarray(self._part(name)[...]) for name in ("data", "indices", "indptr")]
            kind = sp.csr_matrix if self.form == "csr" else sp.csc_matrix
            found = kind(tuple(arrays), shape=self.shape)
            found.check_format(full_check=True)  # before SciPy follows an index out of its arrays
            return as_counts(found)

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[int, sp.csr_matrix]]:
        """Yield (first row, canonical CSR) of as many rows at a time as hold ``size`` numbers, in order."""
        for first, end in self._cuts(size):
            yield first, self.rows(first, end)

    def sample(self, n_rows: int = 500) -> Iterator[sp.csr_matrix]:
        """Yield some rows of the beginning, the middle and the end; of a matrix by columns, nothing."""
        if self.form != "csc":
            for first in sorted({0, max(0, (self.shape[0] - n_rows) // 2), max(0, self.shape[0] - n_rows)}):
                yield self.rows(first, min(first + n_rows, self.shape[0]))

    def rows(self, first: int, end: int) -> sp.csr_matrix:
        """Return the rows from ``first`` up to ``end``, canonical CSR."""
        with self.reading():
            if self.form == "dense":
                return as_counts(self.stored[first:end])
            indptr = np.asarray(self._part("indptr")[first : end + 1], dtype=np.int64)
            span = slice(int(indptr[0]), int(indptr[-1]))
            data, indices = (_fresh(self._part(name)[span]) for name in ("data", "indices"))
            arrays = (data.astype(np.float32, copy=False), indices, indptr - indptr[0])
            return canonical(sp.csr_matrix(arrays, shape=(end - first, self.shape[1])))

    def ends(self) -> npt.NDArray[np.int64]:
        """Return where each row, or column, begins among the numbers stored, and where the last one ends."""
        with self.reading():
            found = np.asarray(self._part("indptr")[...], dtype=np.int64)
            n_found = min(self.n_stored, int(self._part("indices").shape[0]))
            expected = self.shape[self.form == "csc"] + 1
            if len(found) != expected or found[0] or (np.diff(found) < 0).any() or found[-1] > n_found:
                msg = "data, indices and indptr contradict each other"
                raise ValueError(msg)
            return found

    def reading(self) -> AbstractContextManager[None]:
        """Return a context in which it is read: any error becomes a sentence that names the matrix."""
        return boundary(f"{self.where} is no matrix of numbers")

    def _cuts(self, size: int) -> list[tuple[int, int]]:
        n_rows, n_columns = self.shape
        if self.form == "dense":
            bounds = np.arange(0, n_rows, max(1, size // max(1, n_columns)))
        else:
            ends = self.ends()
            bounds = np.unique(np.searchsorted(ends[:-1], np.arange(0, max(1, ends[-1]), size), side="left"))
            bounds = np.union1d(bounds[bounds < n_rows], [0])
        return list(zip(bounds.tolist(), [*bounds[1:].tolist(), n_rows], strict=True))

    def _part(self, name: str) -> Any:
        return getattr(self.stored, name) if sp.issparse(self.stored) else self.stored[name]


def _fresh(values: Any) -> npt.NDArray[Any]:
    """Return values that may be changed in place: what a file gave as it is, of an array in memory a copy."""
    found = np.asarray(values)
    return found if found.flags.owndata else found.copy()

"""Matrix: cells by genes, on disk or in memory, in any of AnnData's forms, read whole or some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.counts import as_counts, canonical
from zsgate.errors import UsageProblem
from zsgate.system import arrays

BLOCK = 1 << 23  # stored numbers that are read at a time: 64 MB as values and columns


@contextmanager
def boundary(complaint: str) -> Iterator[None]:
    """Raise any error of h5py, zarr, anndata or SciPy as a UsageProblem of one sentence that begins with ``complaint``.

    A damaged file, or one of a newer format, fails in these libraries in any way.
    """
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
        Names it in messages. If a part of it cannot be read, that is a UsageProblem.
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
            parts = [np.asarray(self._part(name)[...]) for name in ("data", "indices", "indptr")]
            kind = sp.csr_matrix if self.form == "csr" else sp.csc_matrix
            found = kind(tuple(parts), shape=self.shape)
            found.check_format(full_check=True)  # before SciPy follows an index out of its arrays
            return as_counts(found)

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, sp.csr_matrix]]:
        """Yield (first row, canonical CSR) in order, of as many rows at a time as hold ``size`` numbers.

        Without ``size``, :data:`BLOCK` numbers.
        """
        for first, end in self._cuts(size or BLOCK):
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
            parts = (data.astype(np.float32, copy=False), indices, indptr - indptr[0])
            return canonical(sp.csr_matrix(parts, shape=(end - first, self.shape[1])))

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
    """Return values that may be changed in place: those that a file gave as they are, of an array in memory a copy."""
    found = np.asarray(values)
    return found if found.flags.owndata else found.copy()


def by_rows(matrix: Matrix, folder: Path | None = None) -> Matrix:
    """Return the matrix such that rows can be read: one stored by columns is copied, block by block.

    Parameters
    ----------
    matrix
        In any form; one that is not stored by columns is returned as it is.
    folder
        Where the copy lies if it is large; None takes the folder for temporary files.

    Raises
    ------
    UsageProblem
        If the matrix is damaged, or the disk has no room for another one.
    """
    if matrix.form != "csc":
        return matrix
    n_rows, starts = matrix.shape[0], matrix.ends()
    n_stored = int(starts[-1])
    blocks = [slice(begin, min(begin + BLOCK, n_stored)) for begin in range(0, n_stored, BLOCK)]
    values, columns = (arrays.empty((n_stored,), kind, folder) for kind in (np.float32, np.int32))
    with matrix.reading():
        data, indices = (matrix.stored[name] for name in ("data", "indices"))
        per_row = np.zeros(n_rows, dtype=np.int64)
        for block in blocks:
            per_row += np.bincount(np.asarray(indices[block]), minlength=n_rows)
        ends = np.concatenate([[0], np.cumsum(per_row)])
        free = ends[:-1].copy()
        for block in blocks:
            rows = np.asarray(indices[block])
            target, order = _targets(rows, free)
            column = np.searchsorted(starts, np.arange(block.start, block.stop), side="right") - 1
            values[target] = np.asarray(data[block])[order]
            columns[target] = column[order]
            free += np.bincount(rows, minlength=n_rows)
    return Matrix({"data": values, "indices": columns, "indptr": ends}, matrix.shape, "csr", matrix.where)


def _targets(rows: npt.NDArray[Any], free: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Return (places by row, entries to put there), given each entry's row and the first free place of each row."""
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows, side="left")
    return free[rows] + rank, order

"""Matrix: cells by genes, on disk or in memory, in any of AnnData's forms, read whole or some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.counts import as_counts, canonical
from zsgate.data.file.boundary import boundary
from zsgate.errors import UsageProblem
from zsgate.system import arrays

PARTS = ("data", "indices", "indptr")
CONTRADICTION = "data, indices and indptr contradict each other"
BLOCK = 1 << 23  # stored numbers that are read at a time: 64 MB as values and columns


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of cells by genes, on disk or in memory, in any of AnnData's forms.

    Attributes
    ----------
    stored
        A group of data, indices and indptr, or an array.
    shape
        (n_cells, n_genes) as stored.
    form
        ``"csr"``, ``"csc"`` or ``"dense"``.
    where
        Names it in messages. If a part of it cannot be read, that is a UsageProblem.
    kept
        Which columns are given, bool (n_genes,); None gives all.
    """

    stored: Any
    shape: tuple[int, int]
    form: str
    where: str = "the matrix"
    kept: npt.NDArray[np.bool_] | None = None

    @property
    def n_genes(self) -> int:
        """How many columns are given."""
        return self.shape[1] if self.kept is None else int(self.kept.sum())

    @property
    def n_stored(self) -> int:
        """How many numbers are stored."""
        return int(np.prod(self.shape)) if self.form == "dense" else int(self._part("data").shape[0])

    def check_parts(self, shape: tuple[int, int]) -> None:
        """Raise UsageProblem unless it has this shape and its parts fit together, as far as can be seen unread."""
        if self.shape != shape:
            stored, known = (f"{n_cells:,} cells x {n_genes:,} genes" for n_cells, n_genes in (self.shape, shape))
            msg = f"{self.where} has {stored}, its tables list {known}"
            raise UsageProblem(msg)
        with self.reading():
            parts = {"": self.stored} if self.form == "dense" else {name: self._part(name) for name in PARTS}
            for name, part in parts.items():
                if part.dtype.kind not in ("iu" if name in ("indices", "indptr") else "biuf"):
                    msg = f"{name or 'it'} holds {part.dtype}"
                    raise TypeError(msg)
            if self.form == "dense":
                return
            sizes = {name: part.shape for name, part in parts.items()}
            n_ends = self.shape[self.form == "csc"] + 1
            if sizes["data"] != sizes["indices"] or sizes["indptr"] != (n_ends,):
                raise ValueError(CONTRADICTION)
            if self.n_stored > self.shape[0] * self.shape[1]:
                msg = f"{self.n_stored:,} numbers are claimed for {self.shape[0]:,} x {self.shape[1]:,} places"
                raise ValueError(msg)

    def whole(self) -> sp.csr_matrix:
        """Return all of it in the canonical form of counts."""
        with self.reading():
            found = as_counts(self.stored[...] if self.form == "dense" else self.in_memory())
            return found if self.kept is None else canonical(found[:, self.kept])

    def in_memory(self) -> Any:
        """Return a sparse matrix as it is stored, in SciPy's form, after a look at every index."""
        data, indices = (np.asarray(self._part(name)[...]) for name in ("data", "indices"))
        data = data.astype(np.float32) if data.dtype == np.float16 else data  # which SciPy does not know
        kind = sp.csr_matrix if self.form == "csr" else sp.csc_matrix
        found = kind((data, indices, self.ends()), shape=self.shape)
        found.check_format(full_check=True)  # before SciPy follows an index out of its arrays
        return found

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
                found = as_counts(self.stored[first:end])
                return found if self.kept is None else canonical(found[:, self.kept])
            indptr = np.asarray(self._part("indptr")[first : end + 1], dtype=np.int64)
            _check_ends(indptr, self.n_stored)
            span = slice(int(indptr[0]), int(indptr[-1]))
            data, indices = (_fresh(self._part(name)[span]) for name in ("data", "indices"))
            parts = (_narrowed(data), indices, indptr - indptr[0])
            rows = canonical(sp.csr_matrix(parts, shape=(end - first, self.shape[1])))
            return rows if self.kept is None else canonical(rows[:, self.kept])

    def ends(self) -> npt.NDArray[np.int64]:
        """Return where each row, or column, begins among the numbers stored, and where the last one ends."""
        with self.reading():
            found = np.asarray(self._part("indptr")[...], dtype=np.int64)
            _check_ends(found, self.n_stored)
            if len(found) != self.shape[self.form == "csc"] + 1 or found[0] or found[-1] != self.n_stored:
                raise ValueError(CONTRADICTION)
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


def _check_ends(ends: npt.NDArray[np.int64], n_stored: int) -> None:
    """Raise ValueError unless rows, or columns, end in order and within the numbers stored."""
    if not len(ends) or ends.min() < 0 or ends.max() > n_stored or (np.diff(ends) < 0).any():
        raise ValueError(CONTRADICTION)


def _fresh(values: Any) -> npt.NDArray[Any]:
    """Return values that may be changed in place: those that a file gave as they are, of an array in memory a copy."""
    found = np.asarray(values)
    return found if found.flags.owndata else found.copy()


def _narrowed(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return values as float32; what that cannot hold becomes infinite, and is refused as that."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


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
            rows = np.asarray(indices[block])
            if len(rows) and not 0 <= rows.min() <= rows.max() < n_rows:
                msg = f"indices must be < {n_rows:,}"
                raise ValueError(msg)
            per_row += np.bincount(rows, minlength=n_rows)
        ends = np.concatenate([[0], np.cumsum(per_row)])
        free = ends[:-1].copy()
        for block in blocks:
            rows = np.asarray(indices[block])
            target, order = _targets(rows, free)
            column = np.searchsorted(starts, np.arange(block.start, block.stop), side="right") - 1
            values[target] = _narrowed(np.asarray(data[block]))[order]
            columns[target] = column[order]
            free += np.bincount(rows, minlength=n_rows)
    parts = {"data": values, "indices": columns, "indptr": ends}
    return Matrix(parts, matrix.shape, "csr", matrix.where, matrix.kept)


def _targets(rows: npt.NDArray[Any], free: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Return (places by row, entries to put there), given each entry's row and the first free place of each row."""
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows, side="left")
    return free[rows] + rank, order

"""Counts: non-negative integers of cells by genes, in one canonical form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from zsgate.errors import UsageProblem

STRETCH = 1 << 22  # numbers that are hashed at a time
LARGEST = 1 << 24  # float32 holds every integer below
MOST_LOGGED = 20  # no logarithm of a count or of a share is larger
ADVICE = "; round what SoupX, decontX or CellBender corrected, or keep the raw counts in layers/counts"
BLOCK = 1 << 23  # numbers that are worked on at a time: 64 MB as values and columns


def as_counts(matrix: Any) -> sp.csr_matrix:
    """Return any matrix as CSR of float32 with sorted indices, duplicate entries added up and no stored zeros.

    Raises
    ------
    ValueError
        If the arrays of a sparse matrix contradict each other.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        return canonical(sp.csr_matrix(matrix, dtype=np.float32, copy=True))


def canonical(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Bring CSR of float32 into the form of :func:`as_counts`, in place, and return it; raises as that does."""
    counts.check_format(full_check=True)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return counts


def matrix_digest(counts: sp.csr_matrix) -> str:
    """Return the SHA-256 of the values, columns and row ends, whatever integer types they are stored in."""
    if (known := getattr(counts, "checked_digest", None)) is not None:
        return str(known)
    parts = [hashlib.sha256() for _ in range(3)]
    for part, array, kind in zip(
        parts, (counts.data, counts.indices, counts.indptr), (np.float32, np.int64, np.int64), strict=True
    ):
        for begin in range(0, len(array), STRETCH):
            part.update(np.ascontiguousarray(array[begin : begin + STRETCH], dtype=kind).data)
    return hashlib.sha256("".join(part.hexdigest() for part in parts).encode()).hexdigest()


def blocks(
    counts: sp.csr_matrix, size: int | None = None, cells: tuple[int, int] | None = None
) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Yield (rows, counts of these rows in memory) in order, as many rows at a time as hold ``size`` numbers.

    Without ``size``, :data:`BLOCK` numbers; of the ``cells`` from one to another, without them of all.
    """
    indptr, size, (first, last) = counts.indptr, size or BLOCK, cells or (0, counts.shape[0])
    edges = np.arange(int(indptr[first]), max(int(indptr[first]) + 1, int(indptr[last])), size)
    starts = np.unique(np.searchsorted(indptr, edges, side="left"))
    starts = np.union1d(starts[(starts > first) & (starts < last)], [first])
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), last], strict=True):
        yield slice(start, stop), counts[start:stop]


def was_checked(counts: Any) -> bool:
    """Return whether ``counts`` were checked and made canonical when they were written to disk."""
    return hasattr(counts, "checked_digest")


def is_canonical(counts: Any) -> bool:
    """Return whether ``counts`` has the form that :func:`as_counts` gives."""
    if was_checked(counts):
        return True
    if not sp.issparse(counts) or counts.format != "csr" or counts.dtype != np.float32:
        return False
    return bool(counts.has_canonical_format and counts.data.all())


def round_counts(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return the counts rounded to the nearest integer, in place; what becomes zero is no longer stored."""
    counts.data = np.rint(counts.data)
    counts.eliminate_zeros()
    return counts


def check_counts(where: str, counts: sp.csr_matrix) -> None:
    """Raise UsageProblem, which names ``where``, unless ``counts`` holds finite, non-negative integers."""
    if fault := fault_of(counts):
        msg = f"{where}: the counts hold {fault}; raw counts are needed: name them by --counts layers/NAME, raw or X"
        raise UsageProblem(msg)


def fault_of(counts: sp.csr_matrix) -> str:
    """Return what ``counts`` holds that no count is, or an empty string."""
    values = counts.data
    if not np.isfinite(values).all():
        return "NaN or infinite values"
    if values.size and values.min() < 0:
        return f"negative values (smallest {values.min():g})"
    fractional = values != np.rint(values)
    if fractional.any():
        some = f"{fractional.sum()} of {values.size}, for example {values[fractional][0]:g}"
        return f"numbers that are not integers ({some}){ADVICE if values.max() > MOST_LOGGED else ''}"
    if values.size and values.max() >= LARGEST:
        return f"counts of {LARGEST:,} (2^24) or more (largest {values.max():,.0f}), which float32 cannot hold exactly"
    return ""

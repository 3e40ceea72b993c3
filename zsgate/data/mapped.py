"""Prepared: large counts as a plain CSR copy on disk, mapped into memory.

A file that holds more numbers than fit comfortably is read twice, block by block: once to check every number and to
find the cells and genes to keep, once to write those. The copy's arrays are mapped, so that whoever slices rows reads
just those from disk and the operating system takes the pages back when it needs them. The next run finds the copy.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.counts import check_counts, matrix_digest
from zsgate.data.matrix import BLOCK, Matrix
from zsgate.errors import UsageProblem
from zsgate.system import arrays as spill
from zsgate.system.sources import code_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """Counts of the cells and genes that are kept.

    Attributes
    ----------
    counts
        CSR (n_cells, n_genes) over mapped arrays, marked as checked, with the ``folder`` they lie in.
    rows, genes
        Which rows and columns of the file they are.
    n_poor
        Cells left out for having too few detected genes.
    """

    counts: sp.csr_matrix
    rows: npt.NDArray[np.intp]
    genes: npt.NDArray[np.intp]
    n_poor: int


def prepared(
    matrix: Matrix,
    known: npt.NDArray[np.bool_],
    *,
    where: str,
    key: dict[str, Any],
    cache: Path,
    limits: tuple[int, int],
    rounding: bool,
) -> Prepared:
    """Return the counts of the cells that are known and rich enough, of the genes that enough of them express.

    Parameters
    ----------
    matrix
        On disk, in any form.
    known
        Whether a cell has all it needs besides counts, shape (n_cells,).
    where
        Names the matrix in messages.
    key
        What tells this file from others.
    cache
        Folder of the copies.
    limits
        Detected genes that a cell needs, cells that a gene needs.
    rounding
        Round fractional counts to the nearest integer instead of refusing them.

    Raises
    ------
    UsageProblem
        If a number is no count, nothing is left, or the copy cannot be written.
    """
    from filelock import FileLock

    digest = hashlib.sha256(np.packbits(known).tobytes()).hexdigest()
    identity = {**key, "known": digest, "limits": limits, "rounding": rounding, "code": code_of(__name__)}
    name = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:32]
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{name}.lock"):
        if not (cache / name).exists():
            try:
                with TemporaryDirectory(dir=cache, prefix="part-") as place:
                    _prepare(matrix, known, where, limits, rounding, Path(place) / name)
                    (Path(place) / name).replace(cache / name)
            except OSError as error:  # of writing: what cannot be read is a UsageProblem already
                msg = f"{where}: the counts are too large for memory, and no copy of them fits in {cache} ({error})"
                raise UsageProblem(msg) from error
        return _mapped(cache / name)


def _prepare(
    matrix: Matrix, known: npt.NDArray[np.bool_], where: str, limits: tuple[int, int], rounding: bool, folder: Path
) -> None:
    if matrix.form == "csc":
        matrix = transposed(matrix, folder.parent)
    min_genes, min_cells = limits
    n_cells, n_genes = matrix.shape
    seen, rich = np.zeros(n_genes, dtype=np.int64), np.zeros(n_cells, dtype=bool)
    for first, block in _checked(matrix, where, rounding):
        span = slice(first, first + block.shape[0])
        rich[span] = np.diff(block.indptr) >= min_genes
        kept = _chosen(block, known[span] & rich[span])
        seen += np.bincount(kept.indices, minlength=n_genes)
    rows, genes = np.flatnonzero(known & rich), np.flatnonzero(seen >= min_cells)
    if not len(rows) or not len(genes):
        msg = f"{where}: no cell with a label has {min_genes} detected genes, or no gene is seen in {min_cells} cells"
        raise UsageProblem(msg)
    folder.mkdir()
    kind = _index_type(int(seen[genes].sum()))
    sizes = [np.zeros(1, dtype=np.int64)]
    with (folder / "data").open("wb") as data, (folder / "indices").open("wb") as indices:
        for first, block in _checked(matrix, where, rounding):
            kept = _chosen(block, (known & rich)[first : first + block.shape[0]])
            if len(genes) < n_genes:
                kept = kept[:, genes]
                kept.sort_indices()
            data.write(np.ascontiguousarray(kept.data, dtype=np.float32).data)
            indices.write(np.ascontiguousarray(kept.indices, dtype=kind).data)
            sizes.append(np.diff(kept.indptr).astype(np.int64))
    np.save(folder / "indptr.npy", np.cumsum(np.concatenate(sizes)))
    np.save(folder / "rows.npy", rows)
    np.save(folder / "genes.npy", genes)
    facts = {"digest": matrix_digest(_mapped_csr(folder, len(genes))), "n_poor": int((~rich).sum())}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def _chosen(block: sp.csr_matrix, keep: npt.NDArray[np.bool_]) -> sp.csr_matrix:
    """Return the rows to keep, without a copy where these are all."""
    return block if keep.all() else block[np.flatnonzero(keep)]


def _checked(matrix: Matrix, where: str, rounding: bool) -> Iterator[tuple[int, sp.csr_matrix]]:
    """Yield the blocks, each of counts or refused."""
    for first, block in matrix.blocks():
        if rounding:
            block = rounded(block)
        check_counts(where, block)
        yield first, block


def rounded(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return the counts rounded to the nearest integer, in place; what becomes zero is no longer stored."""
    counts.data = np.rint(counts.data)
    counts.eliminate_zeros()
    return counts


def _index_type(n_stored: int) -> type[np.signedinteger[Any]]:
    return np.int32 if n_stored <= np.iinfo(np.int32).max else np.int64  # SciPy wants both index arrays of one type


def _mapped_csr(folder: Path, n_genes: int, mode: Literal["r", "c"] = "r") -> sp.csr_matrix:
    indptr = np.load(folder / "indptr.npy")
    n_stored = int(indptr[-1])
    kind = _index_type(n_stored)
    data = np.memmap(folder / "data", dtype=np.float32, mode=mode, shape=(n_stored,))
    indices = np.memmap(folder / "indices", dtype=kind, mode=mode, shape=(n_stored,))
    arrays = (data, indices, indptr.astype(kind))
    counts = sp.csr_matrix(arrays, shape=(len(indptr) - 1, n_genes), copy=False)
    counts.has_sorted_indices = counts.has_canonical_format = True  # as they were written; a look would read it all
    return counts


def _mapped(folder: Path) -> Prepared:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    genes = np.load(folder / "genes.npy")
    counts = _mapped_csr(folder, len(genes))
    counts.checked_digest = facts["digest"]  # Dataset takes it for checked
    counts.folder = folder
    with suppress(OSError):  # when it was last used, for whoever cleans up
        os.utime(folder / "facts.json")
    return Prepared(counts, np.load(folder / "rows.npy"), genes, facts["n_poor"])


def copied(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return a copy that may be written to; of mapped counts one that shares their pages until it is."""
    folder = place_of(counts)
    return counts.copy() if folder is None else _mapped_csr(folder, counts.shape[1], "c")


def place_of(counts: sp.csr_matrix) -> Path | None:
    """Return the folder that counts are mapped from, for :func:`counts_at` of another process; None in memory."""
    return getattr(counts, "folder", None)


def counts_at(folder: Path) -> sp.csr_matrix:
    """Return the counts of a folder, mapped."""
    return _mapped(folder).counts


def transposed(matrix: Matrix, folder: Path | None = None, size: int = BLOCK) -> Matrix:
    """Return a matrix stored by columns as one stored by rows, block by block, on disk where it is large.

    Raises
    ------
    UsageProblem
        If the matrix is damaged, or the disk has no room for another one.
    """
    n_rows, starts = matrix.shape[0], matrix.ends()
    n_stored = int(starts[-1])
    blocks = [slice(begin, min(begin + size, n_stored)) for begin in range(0, n_stored, size)]
    values, columns = (spill.empty((n_stored,), kind, folder) for kind in (np.float32, np.int32))
    with matrix.reading():
        data, indices = (matrix.stored[name] for name in ("data", "indices"))
        per_row = np.zeros(n_rows, dtype=np.int64)
        for block in blocks:
            per_row += np.bincount(np.asarray(indices[block]), minlength=n_rows)
        ends = np.concatenate([[0], np.cumsum(per_row)])
        free = ends[:-1].copy()
        for block in blocks:
            rows = np.asarray(indices[block])
            column = np.searchsorted(starts, np.arange(block.start, block.stop), side="right") - 1
            order = np.argsort(rows, kind="stable")
            rows = rows[order]
            rank = np.arange(len(rows)) - np.searchsorted(rows, rows, side="left")
            target = free[rows] + rank
            values[target] = np.asarray(data[block])[order]
            columns[target] = column[order]
            free += np.bincount(rows, minlength=n_rows)
    return Matrix({"data": values, "indices": columns, "indptr": ends}, matrix.shape, "csr", matrix.where)

"""Mapped counts: large counts as a plain CSR copy on disk, mapped into memory.

A file that holds more numbers than fit comfortably is read twice, block by block: once to check every number and to
find the cells and genes to keep, once to write those. The copy's arrays are mapped, so that whoever slices rows reads
just those from disk and the operating system takes the pages back when it needs them. The next run finds the copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.counts import check_counts, matrix_digest, round_counts
from zsgate.data.file.matrix import Matrix, by_rows
from zsgate.errors import MachineFailed, UsageProblem
from zsgate.system.files import fault_of, locked, replaced_whole, seal, sha256_of, unseal
from zsgate.system.sources import code_of

ARRAYS = ("data", "indices", "indptr.npy", "rows.npy", "genes.npy")  # files of a copy
FACTS = "facts.json"  # what is said of them, sealed
MOST_OF_INT32 = int(np.iinfo(np.int32).max)  # numbers that int32 can count


@dataclass(frozen=True, slots=True)
class MappedCounts:
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


@dataclass(frozen=True, slots=True)
class Filter:
    """What is done to the counts of a file on their way to the copy.

    Attributes
    ----------
    min_genes
        Detected genes that a cell needs.
    min_cells
        Cells that a gene needs.
    rounding
        Round fractional counts to the nearest integer instead of refusing them.
    """

    min_genes: int
    min_cells: int
    rounding: bool


def map_counts(
    matrix: Matrix,
    known: npt.NDArray[np.bool_],
    wanted: Filter,
    *,
    where: str,
    key: Mapping[str, object],
    cache: Path,
) -> MappedCounts:
    """Return the counts of the cells that are known and rich enough, of the genes that enough of them express.

    Parameters
    ----------
    matrix
        On disk, in any form.
    known
        Whether a cell has all it needs besides counts, shape (n_cells,).
    wanted
        Which cells and genes are kept.
    where
        Names the matrix in messages.
    key
        What tells this file from others.
    cache
        Folder of the copies.

    Raises
    ------
    UsageProblem
        If a number is no count, nothing is left, or the copy cannot be written.
    """
    digest = hashlib.sha256(np.packbits(known).tobytes()).hexdigest()
    identity = {**key, "known": digest, "filter": astuple(wanted), "code": code_of(__name__)}
    name = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:32]
    with locked(cache / f"{name}.lock"):
        if not _is_sound(cache / name):
            try:
                with replaced_whole(cache / name) as folder:
                    n_poor = _copy(by_rows(matrix, cache), known, wanted, where, folder)
                    _seal(folder, name, n_poor)
            except OSError as error:  # of writing: what cannot be read is a UsageProblem already
                msg = f"{where}: the counts are too large for memory, and no copy of them fits in {cache} ({error})"
                raise MachineFailed(msg) from error
        return _mapped(cache / name)


def _copy(matrix: Matrix, known: npt.NDArray[np.bool_], wanted: Filter, where: str, folder: Path) -> int:
    """Write the arrays of the cells and genes that are kept into ``folder``; return how many cells are too poor."""
    n_cells, n_genes = matrix.shape[0], matrix.n_genes
    seen, rich = np.zeros(n_genes, dtype=np.int64), np.zeros(n_cells, dtype=bool)
    for first, block in _checked(matrix, where, wanted.rounding):
        span = slice(first, first + block.shape[0])
        rich[span] = np.diff(block.indptr) >= wanted.min_genes
        seen += np.bincount(_some_rows(block, known[span] & rich[span]).indices, minlength=n_genes)
    rows, genes = np.flatnonzero(known & rich), np.flatnonzero(seen >= wanted.min_cells)
    if not len(rows) or not len(genes):
        msg = (
            f"{where}: no cell with a label has {wanted.min_genes} detected genes, or no gene is seen in "
            f"{wanted.min_cells} cells"
        )
        raise UsageProblem(msg)
    folder.mkdir()
    kind = index_type(int(seen[genes].sum()))
    sizes = [np.zeros(1, dtype=np.int64)]
    with (folder / "data").open("wb") as data, (folder / "indices").open("wb") as indices:
        for first, block in _checked(matrix, where, wanted.rounding):
            kept = _some_rows(block, (known & rich)[first : first + block.shape[0]])
            if len(genes) < n_genes:
                kept = kept[:, genes]
                kept.sort_indices()
            data.write(np.ascontiguousarray(kept.data, dtype=np.float32).data)
            indices.write(np.ascontiguousarray(kept.indices, dtype=kind).data)
            sizes.append(np.diff(kept.indptr).astype(np.int64))
    np.save(folder / "indptr.npy", np.cumsum(np.concatenate(sizes)))
    np.save(folder / "rows.npy", rows)
    np.save(folder / "genes.npy", genes)
    return int((~rich).sum())


def _seal(folder: Path, name: str, n_poor: int) -> None:
    """Write what tells whether a copy is whole and the one of this name, and what need not be counted again."""
    genes = np.load(folder / "genes.npy")
    facts = {
        "digest": matrix_digest(_mapped_csr(folder, len(genes))),
        "n_poor": n_poor,
        "files": {each: sha256_of(folder / each) for each in ARRAYS},
    }
    (folder / FACTS).write_text(seal(name, facts), encoding="utf-8")


def fault_in(folder: Path) -> str:
    """Return in words what is wrong with a copy, by reading all of it; empty if it is whole and of its name."""
    try:
        facts = _facts(folder)
        with ThreadPoolExecutor(len(ARRAYS)) as threads:
            found = dict(zip(ARRAYS, threads.map(lambda each: sha256_of(folder / each), ARRAYS), strict=True))
        return "" if found == facts["files"] else "a file in it is not the one that was written"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return fault_of(error)


def _is_sound(folder: Path) -> bool:
    """Return whether a copy is there, whole and of its name, by reading it; any other is removed, which is said."""
    if not (is_there := folder.exists()) or not (fault := fault_in(folder)):
        return is_there
    sys.stderr.write(f"zsgate: {folder} is not used, for it is damaged or not zsgate's ({fault}): it is made again\n")
    try:
        shutil.rmtree(folder.rename(folder.with_name(f".part-{uuid.uuid4().hex}")))
    except OSError as error:
        msg = f"{folder} is damaged and stays ({fault_of(error)}); --cache DIR or ZSGATE_CACHE names another"
        raise MachineFailed(msg) from error
    return False


def _facts(folder: Path) -> dict[str, Any]:
    return dict(unseal(folder.name, (folder / FACTS).read_text(encoding="utf-8")))


def _some_rows(block: sp.csr_matrix, keep: npt.NDArray[np.bool_]) -> sp.csr_matrix:
    """Return the rows to keep, without a copy where these are all."""
    return block if keep.all() else block[np.flatnonzero(keep)]


def _checked(matrix: Matrix, where: str, rounding: bool) -> Iterator[tuple[int, sp.csr_matrix]]:
    """Yield the blocks, each of counts or refused."""
    for first, block in matrix.blocks():
        counts = round_counts(block) if rounding else block
        check_counts(where, counts)
        yield first, counts


def index_type(n_stored: int) -> type[np.signedinteger[Any]]:
    """Return the type of columns and row ends: SciPy wants both of one type, one that can count the numbers stored."""
    return np.int32 if n_stored <= MOST_OF_INT32 else np.int64


def _mapped_csr(folder: Path, n_genes: int, mode: Literal["r", "c"] = "r") -> sp.csr_matrix:
    indptr = np.load(folder / "indptr.npy")
    n_stored = int(indptr[-1])
    kind = index_type(n_stored)
    data = np.memmap(folder / "data", dtype=np.float32, mode=mode, shape=(n_stored,))
    indices = np.memmap(folder / "indices", dtype=kind, mode=mode, shape=(n_stored,))
    arrays = (data, indices, indptr.astype(kind))
    counts = sp.csr_matrix(arrays, shape=(len(indptr) - 1, n_genes), copy=False)
    counts.has_sorted_indices = counts.has_canonical_format = True  # as they were written; a look would read it all
    return counts


def _mapped(folder: Path) -> MappedCounts:
    facts = _facts(folder)
    genes = np.load(folder / "genes.npy")
    counts = _mapped_csr(folder, len(genes))
    counts.checked_digest = facts["digest"]  # Dataset takes it for checked
    counts.folder = folder
    with suppress(OSError):  # when it was last used, for whoever cleans up
        os.utime(folder / FACTS)
    return MappedCounts(counts, np.load(folder / "rows.npy"), genes, facts["n_poor"])


def private_copy(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return a copy that may be written to; one of mapped counts shares their pages until it is written to."""
    folder = place_of(counts)
    return counts.copy() if folder is None else _mapped_csr(folder, counts.shape[1], "c")


def place_of(counts: sp.csr_matrix) -> Path | None:
    """Return the folder that counts are mapped from, for :func:`counts_at` of another process; None in memory."""
    return getattr(counts, "folder", None)


def counts_at(folder: Path) -> sp.csr_matrix:
    """Return the counts of a folder, mapped."""
    return _mapped(folder).counts

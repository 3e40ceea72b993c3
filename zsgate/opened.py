"""Opened: an .h5ad file or .zarr store of cells whose tables are read and whose matrices stay on disk."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.counts import as_counts, canonical
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    import pandas as pd

FILES = (".h5ad", ".zarr")
BLOCK = 1 << 23  # stored numbers that are read at a time: 64 MB as values and columns


def is_file(entry: str) -> bool:
    """Return whether a dataset is named by its file, not by its name."""
    return entry.endswith(FILES)


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
    """

    stored: Any
    shape: tuple[int, int]
    form: str

    @property
    def n_stored(self) -> int:
        """How many numbers are stored."""
        return int(np.prod(self.shape)) if self.form == "dense" else int(self._part("data").shape[0])

    def whole(self) -> sp.csr_matrix:
        """Return all of it in the canonical form of counts."""
        if self.form == "dense":
            return as_counts(self.stored[...] if hasattr(self.stored, "shape") else self.stored)
        arrays = [np.asarray(self._part(name)[...]) for name in ("data", "indices", "indptr")]
        kind = sp.csr_matrix if self.form == "csr" else sp.csc_matrix
        return as_counts(kind(tuple(arrays), shape=self.shape))

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
        if self.form == "dense":
            return as_counts(self.stored[first:end])
        indptr = np.asarray(self._part("indptr")[first : end + 1], dtype=np.int64)
        span = slice(int(indptr[0]), int(indptr[-1]))
        data, indices = (_fresh(self._part(name)[span]) for name in ("data", "indices"))
        arrays = (data.astype(np.float32, copy=False), indices, indptr - indptr[0])
        return canonical(sp.csr_matrix(arrays, shape=(end - first, self.shape[1])))

    def _cuts(self, size: int) -> list[tuple[int, int]]:
        n_rows, n_columns = self.shape
        if self.form == "dense":
            bounds = np.arange(0, n_rows, max(1, size // max(1, n_columns)))
        else:
            indptr = np.asarray(self._part("indptr")[...], dtype=np.int64)
            bounds = np.unique(np.searchsorted(indptr[:-1], np.arange(0, max(1, indptr[-1]), size), side="left"))
            bounds = np.union1d(bounds[bounds < n_rows], [0])
        return list(zip(bounds.tolist(), [*bounds[1:].tolist(), n_rows], strict=True))

    def _part(self, name: str) -> Any:
        return getattr(self.stored, name) if sp.issparse(self.stored) else self.stored[name]


def _fresh(values: Any) -> npt.NDArray[Any]:
    """Return values that may be changed in place: what a file gave as it is, of an array in memory a copy."""
    found = np.asarray(values)
    return found if found.flags.owndata else found.copy()


class Opened:
    """A file of cells, open for reading.

    Attributes
    ----------
    obs
        Table of the cells.
    n_stored
        Numbers stored in each matrix, by place.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self.obs: pd.DataFrame = _element(root, "obs")

    @property
    def places(self) -> list[str]:
        """Where the file has matrices: ``layers/NAME``, ``raw``, ``X``."""
        layers = [f"layers/{name}" for name in sorted(self._root["layers"])] if "layers" in self._root else []
        raw = ["raw"] if "raw" in self._root and "X" in self._root["raw"] else []
        return layers + raw + ["X"] * ("X" in self._root and not _is_null(self._root["X"]))

    def var(self, place: str) -> pd.DataFrame:
        """Return the table of the genes of a matrix; that of ``raw`` is its own."""
        found: pd.DataFrame = _element(self._root, "raw/var" if place == "raw" else "var")
        return found

    def matrix(self, place: str) -> Matrix:
        """Return a matrix, not yet read.

        Raises
        ------
        TypeError
            If it is no matrix.
        """
        stored = self._root["raw/X" if place == "raw" else place]
        if hasattr(stored, "shape"):
            if len(stored.shape) != 2:
                msg = f"its shape is {stored.shape}"
                raise TypeError(msg)
            return Matrix(stored, (int(stored.shape[0]), int(stored.shape[1])), "dense")
        attributes = dict(stored.attrs)
        form = str(attributes.get("encoding-type", attributes.get("h5sparse_format", "")))
        shape = attributes.get("shape", attributes.get("h5sparse_shape"))
        if shape is None or not form.startswith("cs"):
            msg = f"it is stored as {form or 'something else'}"
            raise TypeError(msg)
        return Matrix(stored, (int(shape[0]), int(shape[1])), form[:3])


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a file for the time of a with statement.

    Raises
    ------
    UsageProblem
        If it is missing, damaged, of another format or of a newer one.
    """
    if path.suffix not in FILES:
        msg = f"{path}: datasets are read from .h5ad files and .zarr stores"
        raise UsageProblem(msg)
    if not path.exists():
        msg = f"{path}: no such file"
        raise UsageProblem(msg)
    root: Any = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that repeat and old formats; what matters is refused later
            root = _root(path)
            file = Opened(root)
    except Exception as error:  # the boundary to h5py, zarr and anndata: a damaged or newer file fails in any way
        if hasattr(root, "close"):
            root.close()
        msg = f"{path}: not a readable {path.suffix} file ({' '.join(str(error).split())})"
        raise UsageProblem(msg) from error
    try:
        yield file
    finally:
        if hasattr(root, "close"):
            root.close()


def _root(path: Path) -> Any:
    if path.suffix == ".zarr":
        import zarr

        return zarr.open_group(str(path), mode="r")
    import h5py

    root = h5py.File(path, "r")
    if "obs" in root and "encoding-type" in root["obs"].attrs:
        return root
    root.close()
    import anndata

    return _as_tree(anndata.read_h5ad(path))  # before anndata 0.7; it reads them, whole


def _as_tree(adata: Any) -> dict[str, Any]:
    """Return an AnnData in memory by the paths that its file would have."""
    tree = {"obs": adata.obs, "var": adata.var, "X": _InMemory.of(adata.X), "layers": {}}
    for name, matrix in adata.layers.items():
        tree["layers"][name] = tree[f"layers/{name}"] = _InMemory.of(matrix)
    if adata.raw is not None:
        tree |= {"raw": {"X": None}, "raw/var": adata.raw.var, "raw/X": _InMemory.of(adata.raw.X)}
    return {name: part for name, part in tree.items() if part is not None}


class _InMemory(dict[str, Any]):
    """A sparse matrix in memory, as a group of a file is."""

    attrs: dict[str, Any]

    @classmethod
    def of(cls, matrix: Any) -> Any:
        if not sp.issparse(matrix):
            return matrix
        group = cls(data=matrix.data, indices=matrix.indices, indptr=matrix.indptr)
        group.attrs = {"encoding-type": f"{matrix.format}_matrix", "shape": matrix.shape}
        return group


def _element(root: Any, name: str) -> Any:
    if isinstance(root, dict):
        return root[name]
    from anndata.io import read_elem

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_elem(root[name])


def _is_null(stored: Any) -> bool:
    return not isinstance(stored, dict) and dict(getattr(stored, "attrs", {})).get("encoding-type") == "null"

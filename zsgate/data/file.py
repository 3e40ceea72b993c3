"""A file of cells, .h5ad or .zarr, opened: its tables are read, its matrices stay on disk."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scipy.sparse as sp

from zsgate.data.annotations import add_gene_columns
from zsgate.data.matrix import Matrix, boundary
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    import pandas as pd

FILES = (".h5ad", ".zarr")


def is_file(entry: str) -> bool:
    """Return whether a dataset is given by the path of its file, and not by its name."""
    return entry.endswith(FILES)


def identity_of(path: Path) -> dict[str, object]:
    """Return what tells a file or store from others, and from itself before a change, without reading it.

    Path, size, and time of change; of a store, the times of all of its files.
    """
    status = path.stat()
    changed: int | str = status.st_mtime_ns
    if path.is_dir():  # its own time does not move when a chunk in it is written anew
        files = [(file.relative_to(path).as_posix(), file.stat()) for file in path.rglob("*") if file.is_file()]
        marks = sorted((name, status.st_size, status.st_mtime_ns) for name, status in files)
        changed = hashlib.sha256(repr(marks).encode()).hexdigest()
    return {"path": str(path.resolve()), "bytes": status.st_size, "changed": changed}


class AnnDataFile:
    """A file of cells, open for reading.

    Parameters
    ----------
    root
        The group at the top: of h5py, of zarr, or a dictionary of what one would hold.
    name
        Names the file in messages.

    Attributes
    ----------
    obs
        Table of the cells.
    """

    def __init__(self, root: Any, name: str) -> None:
        self._root, self._name = root, name
        self._tables: dict[str, pd.DataFrame] = {}
        self.obs: pd.DataFrame = _element(root, "obs")

    @property
    def places(self) -> list[str]:
        """Where the file has matrices: ``layers/NAME``, ``raw``, ``X``."""
        root = self._root
        with boundary(f"{self._name}: its matrices cannot be listed"):
            layers = [f"layers/{name}" for name in sorted(root["layers"])] if "layers" in root else []
            raw = ["raw"] if "raw" in root and "X" in root["raw"] else []
            return layers + raw + ["X"] * ("X" in root and not _is_null(root["X"]))

    def var(self, place: str) -> pd.DataFrame:
        """Return the table of the genes of a matrix; that of ``raw`` is its own, with names that only ``var`` has.

        Raises
        ------
        UsageProblem
            If it is damaged or of a newer format.
        """
        where = "raw/var" if place == "raw" else "var"
        if where not in self._tables:
            with boundary(f"{self._name}: {where} is no table of genes"):
                table = _element(self._root, where)
                self._tables[where] = add_gene_columns(table, self.var("X")) if place == "raw" else table
        return self._tables[where]

    def matrix(self, place: str) -> Matrix:
        """Return a matrix, not yet read.

        Raises
        ------
        UsageProblem
            If it is no matrix, or not one of the file's cells by the genes of its table.
        """
        where = f"{self._name}: {place}"
        with boundary(f"{where} is no matrix of numbers"):
            stored = self._root["raw/X" if place == "raw" else place]
            found = Matrix(stored, *_shape_and_form(stored), where)
            found.n_stored  # noqa: B018 - its parts are there
        shape = (len(self.obs), len(self.var(place)))
        if found.shape != shape:
            stored, known = (f"{n_cells:,} cells x {n_genes:,} genes" for n_cells, n_genes in (found.shape, shape))
            msg = f"{where} has {stored}, its tables list {known}"
            raise UsageProblem(msg)
        return found


def _shape_and_form(stored: Any) -> tuple[tuple[int, int], str]:
    if hasattr(stored, "shape"):
        shape, form = stored.shape, "dense"
    else:
        attributes = dict(stored.attrs)
        form = str(attributes.get("encoding-type", attributes.get("h5sparse_format", "")))
        shape = attributes.get("shape", attributes.get("h5sparse_shape"))
        if shape is None or not form.startswith("cs"):
            msg = f"it is stored as {form or 'something else'}"
            raise TypeError(msg)
    if len(shape) != 2:
        msg = f"its shape is {tuple(shape)}"
        raise TypeError(msg)
    return (int(shape[0]), int(shape[1])), form if form == "dense" else form[:3]


@contextmanager
def open_file(path: Path) -> Iterator[AnnDataFile]:
    """Open a file while a with statement runs.

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
            file = AnnDataFile(root, path.name)
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


def _as_tree(adata: Any) -> dict[str, object]:
    """Return an AnnData in memory by the paths that its file would have."""
    layers = {name: _InMemory.of(matrix) for name, matrix in adata.layers.items()}
    tree: dict[str, object] = {"obs": adata.obs, "var": adata.var, "X": _InMemory.of(adata.X), "layers": layers}
    tree |= {f"layers/{name}": matrix for name, matrix in layers.items()}
    if adata.raw is not None:
        tree |= {"raw": {"X": None}, "raw/var": adata.raw.var, "raw/X": _InMemory.of(adata.raw.X)}
    return {name: part for name, part in tree.items() if part is not None}


class _InMemory(dict[str, object]):
    """A sparse matrix in memory, as a group of a file is."""

    attrs: dict[str, object]

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

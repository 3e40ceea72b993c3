"""A file of cells, .h5ad or .zarr, opened: of its tables the columns that are needed, its matrices stay on disk."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.data.file.boundary import boundary, in_one_line
from zsgate.data.file.format import refuse_other_formats
from zsgate.data.file.matrix import Matrix
from zsgate.data.file.probe import refuse_unreadable
from zsgate.data.file.table import Table
from zsgate.data.genes import add_gene_columns, are_expressed, columns_of_genes
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    import pandas as pd

DEEPEST = 4  # folders in folders, as of layers["counts/raw"]


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
        The group at the top, of h5py or of zarr.
    name
        Names the file in messages.

    Attributes
    ----------
    obs
        Table of the cells.
    """

    def __init__(self, root: Any, name: str) -> None:
        self._root, self._name = root, name
        self._genes: dict[str, tuple[pd.DataFrame, npt.NDArray[np.bool_] | None]] = {}
        self.obs = self._table("obs")

    @cached_property
    def places(self) -> list[str]:
        """Where the file has matrices: ``layers/NAME``, ``raw``, ``X``."""
        root = self._root
        with boundary(f"{self._name}: its matrices cannot be listed"):
            layers = sorted(_matrices(root["layers"], "layers")) if "layers" in root else []
            raw = ["raw"] if _place_of_raw(root) in root else []
            return layers + raw + ["X"] * ("X" in root and not _is_null(root["X"]))

    def var(self, place: str) -> pd.DataFrame:
        """Return names and kinds of the genes of a matrix; ``raw`` has its own, with names that only ``var`` has.

        Features of another kind, such as antibodies, are left out.

        Raises
        ------
        UsageProblem
            If it is damaged or of a newer format.
        """
        table, expressed = self._gene_table(place)
        return table if expressed is None else table[expressed]

    def n_other_features(self, place: str) -> int:
        """Return how many features of a matrix are no genes and left out."""
        expressed = self._gene_table(place)[1]
        return 0 if expressed is None else int((~expressed).sum())

    def matrix(self, place: str) -> Matrix:
        """Return a matrix, not yet read, of the genes that :meth:`var` lists.

        Raises
        ------
        UsageProblem
            If it is no matrix, or not one of the file's cells by the genes of its table.
        """
        where = f"{self._name}: {place}"
        table, expressed = self._gene_table(place)
        with boundary(f"{where} is no matrix of numbers"):
            stored = self._root[_place_of_raw(self._root) if place == "raw" else place]
            found = Matrix(stored, *_shape_and_form(stored), where)
            found.check_parts((len(self.obs), len(table)))
        return replace(found, kept=expressed)

    @property
    def embeddings(self) -> list[str]:
        """Names of the embeddings in ``obsm``."""
        with boundary(f"{self._name}: its embeddings cannot be listed"):
            if "obsm" not in self._root:
                return []
            stored = self._root["obsm"]
            names = stored.dtype.names if hasattr(stored, "dtype") else stored  # before anndata 0.7, records
            return sorted(str(name) for name in names or [])

    def embedding(self, name: str) -> npt.NDArray[Any] | pd.DataFrame:
        """Return an embedding as it is stored: an array, or a data frame; of a sparse matrix, the dense one.

        Raises
        ------
        UsageProblem
            If it is damaged.
        """
        where = f"{self._name}: obsm {name!r}"
        with boundary(f"{where} is no matrix of numbers"):
            stored = self._root["obsm"][name]
            if isinstance(stored, np.ndarray):
                return stored
            if not hasattr(stored, "shape") and dict(stored.attrs).get("encoding-type") == "dataframe":
                table = Table(stored, where)
                return table.frame(table.columns)
            shape, form = _shape_and_form(stored)
            found = Matrix(stored, shape, form, where)
            found.check_parts((len(self.obs), shape[1]))
            values: npt.NDArray[Any] = stored[...] if form == "dense" else found.in_memory().toarray()
            return values

    def _gene_table(self, place: str) -> tuple[pd.DataFrame, npt.NDArray[np.bool_] | None]:
        """Return (names of all features of a matrix, which of them are genes; None: all)."""
        where = "raw/var" if place == "raw" else "var"
        if where not in self._genes:
            table = self._table(where)
            with boundary(f"{self._name}: {where} is no table of genes"):
                found = table.frame(columns_of_genes(table.columns))
                if place == "raw" and "var" in self._root:
                    found = add_gene_columns(found, self._gene_table("X")[0])
                self._genes[where] = found, are_expressed(found, f"{self._name}: {where}")
        return self._genes[where]

    def _table(self, name: str) -> Table:
        where = f"{self._name}: {name}"
        old = "raw.var" if name == "raw/var" else name
        with boundary(f"{where} is no table"):
            stored = self._root[old if old in self._root else name]
            return Table(stored, where, None if hasattr(stored, "keys") else _categories(self._root))


def _matrices(group: Any, place: str, depth: int = 0) -> Iterator[str]:
    """Yield the places of the matrices in a group; a slash in a layer's name has made groups in groups."""
    for name in group:
        part, here = group[name], f"{place}/{name}"
        is_folder = not hasattr(part, "shape") and not ({"encoding-type", "h5sparse_format"} & set(part.attrs))
        if is_folder and depth < DEEPEST:
            yield from _matrices(part, here, depth + 1)
        else:
            yield here


def _place_of_raw(root: Any) -> str:
    return "raw.X" if "raw.X" in root else "raw/X"  # the first before anndata 0.7


def _shape_and_form(stored: Any) -> tuple[tuple[int, int], str]:
    if hasattr(stored, "shape"):
        shape, form = stored.shape, "dense"
    else:
        attributes = dict(stored.attrs)
        form = str(attributes.get("encoding-type", attributes.get("h5sparse_format", "")))
        shape = attributes.get("shape", attributes.get("h5sparse_shape"))
        if shape is None or form[:3] not in ("csr", "csc"):
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
    refuse_other_formats(path)
    root: Any = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            root = _root(path)
            if "obs" not in root:
                msg = "AnnData's table of cells, obs, is not there"
                raise KeyError(msg)
            file = AnnDataFile(root, path.name)
    except Exception as error:
        if hasattr(root, "close"):
            root.close()
        if isinstance(error, UsageProblem):
            raise
        # the boundary to h5py and zarr: a damaged file fails in any way
        msg = f"{path}: not a readable {path.suffix} file ({in_one_line(error)})"
        raise UsageProblem(msg) from error
    try:
        yield file
    finally:
        if hasattr(root, "close"):
            root.close()


def _root(path: Path) -> Any:
    if path.suffix.lower() == ".zarr":
        import zarr

        return zarr.open_group(str(path), mode="r")
    import h5py

    if path.is_file():
        refuse_unreadable(path)
    return h5py.File(path, "r")


def _categories(root: Any) -> dict[str, Any]:
    """Return the names that the codes of a column stand for, by column, as files before anndata 0.7 keep them."""
    ending = "_categories"
    unstructured = root.get("uns", {})
    found = {name.removesuffix(ending): unstructured[name][...] for name in unstructured if name.endswith(ending)}
    return {name: np.char.decode(each, "utf-8") if each.dtype.kind == "S" else each for name, each in found.items()}


def _is_null(stored: Any) -> bool:
    return dict(getattr(stored, "attrs", {})).get("encoding-type") == "null"

"""Embeddings computed beforehand and read from files, put in the dataset's order by cell id."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.annotations import Strings, refuse_duplicates
from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.system import arrays

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

Table = tuple[npt.NDArray[Any], Strings]


class Precomputed:
    """The adapter of a file or a folder of embeddings.

    Parameters
    ----------
    path
        ``.npz`` (keys ``X`` and ``ids``), ``.h5ad``, ``.parquet`` indexed by cell id, ``.npy`` with
        ``<stem>.ids.txt`` beside it; or a folder with such a file for each dataset, named after it.
    key
        Key of ``obsm`` in an ``.h5ad``; None takes the only one.
    """

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path = path
        self.key = key
        self._left_out: dict[str, int] = {}  # rows of cells that were not drawn, by dataset

    @property
    def info(self) -> ModelInfo:
        """The card, which says little: a file holds rows and no more."""
        left_out = (
            f"{n:,} rows of cells of the whole dataset that {name} does not draw are left out"
            for name, n in self._left_out.items()
        )
        notes = (f"precomputed embeddings read from {self.path.name}", *left_out)
        # rows in a file cannot be asked again for fewer cells
        return ModelInfo(name=self.path.stem, independent_cells=False, notes=notes)

    @property
    def fingerprint(self) -> None:
        """None: reading a file is as quick as the store."""
        return None

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the rows of the dataset's cells, in its order.

        Raises
        ------
        UsageProblem
            If the file is missing or unreadable, or its cell ids are not exactly the dataset's; of a dataset that
            is a draw, rows of the cells that were not drawn may be there too.
        """
        path = self._file(dataset.name)
        rows, ids = self._read(path)
        where = f"{path.name} for dataset {dataset.name!r}"
        if rows.ndim != 2 or rows.dtype.kind not in "fiub":
            msg = f"{where}: a matrix of numbers is needed, one row a cell, not {rows.dtype} {rows.shape}"
            raise UsageProblem(msg)
        if len(rows) != len(ids):
            msg = f"{where}: {len(rows)} rows but {len(ids)} cell ids"
            raise UsageProblem(msg)
        refuse_duplicates(where, "cell", ids)
        if dataset.drawn_from is not None:
            beyond = np.isin(ids, dataset.drawn_from) & ~np.isin(ids, dataset.cell_ids)
            rows, ids = rows[~beyond], ids[~beyond]
            if beyond.any():
                self._left_out[dataset.name] = int(beyond.sum())
        _refuse_others(where, dataset.cell_ids, ids)
        position = {cell: row for row, cell in enumerate(ids.tolist())}
        return arrays.take(rows, np.array([position[cell] for cell in dataset.cell_ids.tolist()]))

    check = embed  # the rows are at hand: reading them is the check

    def _file(self, dataset: str) -> Path:
        if self.path.is_file():
            return self.path
        found = [path for suffix in _READERS if (path := self.path / f"{dataset}{suffix}").is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            msg = f"{self.path}: which holds the embeddings of {dataset!r}: {', '.join(path.name for path in found)}?"
        else:
            msg = f"{self.path}: no embeddings of {dataset!r}; expected {dataset} with one of {', '.join(_READERS)}"
        raise UsageProblem(msg)

    def _read(self, path: Path) -> Table:
        if path.suffix not in _READERS:
            msg = f"{path}: embeddings come as {', '.join(_READERS)}"
            raise UsageProblem(msg)
        if self.key is not None and path.suffix != ".h5ad":
            msg = f"{path}#{self.key}: only an .h5ad file has keys"
            raise UsageProblem(msg)
        try:
            return _READERS[path.suffix](path, self.key)
        except UsageProblem:
            raise
        except Exception as error:  # the boundary to four formats: a damaged file fails in each of them in any way
            msg = f"{path}: cannot read the embeddings ({' '.join(str(error).split())})"
            raise UsageProblem(msg) from error


def _refuse_others(where: str, expected: Strings, found: Strings) -> None:
    faults = [
        f"{what} {len(cells)} cells: {', '.join(cells[:10].tolist())}{', ...' if len(cells) > 10 else ''}"
        for what, cells in (("lacks", _subtract(expected, found)), ("has extra", _subtract(found, expected)))
        if len(cells)
    ]
    if faults:
        msg = f"{where} {'; '.join(faults)}"
        raise UsageProblem(msg)


def _subtract(names: Strings, others: Strings) -> Strings:
    """Return the names that are not among ``others``, in their order."""
    return names[~np.isin(names, others)]


def _read_npy(path: Path, _: str | None) -> Table:
    names = path.with_suffix(".ids.txt")
    if not names.is_file():
        msg = f"{path}: {names.name} must lie beside it, one cell id a line, so that rows can be aligned"
        raise UsageProblem(msg)
    rows = np.load(path, mmap_mode="r", allow_pickle=False)  # its rows are taken in another order, not held twice
    return rows, np.array(names.read_text(encoding="utf-8-sig").splitlines(), dtype=str)


def _read_npz(path: Path, _: str | None) -> Table:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        if not {"X", "ids"} <= set(archive.files):
            msg = f"{path}: expected the keys X and ids, found {', '.join(archive.files)}"
            raise UsageProblem(msg)
        try:
            return archive["X"], archive["ids"].astype(str)
        except ValueError:  # NumPy would have to unpickle them
            msg = f"{path}: X or ids hold objects; save them as numbers and strings, ids=adata.obs_names.to_numpy(str)"
            raise UsageProblem(msg) from None


def _read_h5ad(path: Path, key: str | None) -> Table:
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that repeat, which are refused, and of old formats
        adata = anndata.read_h5ad(path, backed="r")
    try:
        keys = list(adata.obsm)
        if key is None and len(keys) != 1:
            which = f"which of obsm {', '.join(keys)} is the embedding? Say --model {path.name}#KEY"
            msg = f"{path}: {which if keys else 'nothing in obsm'}"
            raise UsageProblem(msg)
        if key is not None and key not in keys:
            msg = f"{path}: no obsm key {key!r}; it has {', '.join(keys) or 'none'}"
            raise UsageProblem(msg)
        rows = adata.obsm[key or keys[0]]
        return np.asarray(rows.toarray() if sp.issparse(rows) else rows), adata.obs_names.to_numpy(dtype=str)
    finally:
        adata.file.close()


def _read_parquet(path: Path, _: str | None) -> Table:
    import pandas as pd

    frame = pd.read_parquet(path)
    return frame.to_numpy(), frame.index.to_numpy(dtype=str)


_READERS: dict[str, Callable[[Path, str | None], Table]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".h5ad": _read_h5ad,
    ".parquet": _read_parquet,
}

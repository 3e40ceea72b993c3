"""Embeddings that somebody computed already, put in the dataset's order by cell id."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.dataset import Strings, refuse_duplicates
from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo

if TYPE_CHECKING:
    from zsgate.dataset import Dataset

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

    @property
    def info(self) -> ModelInfo:
        """The card: little is known of rows in a file."""
        note = f"precomputed embeddings read from {self.path.name}"
        # rows in a file cannot be asked again for fewer cells
        return ModelInfo(name=self.path.stem, independent_cells=False, notes=(note,))

    @property
    def fingerprint(self) -> None:
        """None: reading a file is as quick as the store."""
        return None

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the rows of the dataset's cells, in its order.

        Raises
        ------
        UsageProblem
            If the file is missing or unreadable, or its cell ids are not exactly the dataset's.
        """
        path = self._file(dataset.name)
        rows, ids = self._read(path)
        where = f"{path.name} for dataset {dataset.name!r}"
        if len(rows) != len(ids):
            msg = f"{where}: {len(rows)} rows but {len(ids)} cell ids"
            raise UsageProblem(msg)
        refuse_duplicates(where, "cell", ids)
        position = {cell: row for row, cell in enumerate(ids.tolist())}
        _refuse_strangers(where, "lacks", [cell for cell in dataset.cell_ids.tolist() if cell not in position])
        known = set(dataset.cell_ids.tolist())
        _refuse_strangers(where, "has extra", [cell for cell in position if cell not in known])
        return rows[[position[cell] for cell in dataset.cell_ids.tolist()]]

    def _file(self, dataset: str) -> Path:
        if self.path.is_file():
            return self.path
        for suffix in _READERS:
            if (path := self.path / f"{dataset}{suffix}").is_file():
                return path
        msg = f"{self.path}: no embeddings of {dataset!r}; expected {dataset} with one of {', '.join(_READERS)}"
        raise UsageProblem(msg)

    def _read(self, path: Path) -> Table:
        if path.suffix not in _READERS:
            msg = f"{path}: embeddings come as {', '.join(_READERS)}"
            raise UsageProblem(msg)
        try:
            return _READERS[path.suffix](path, self.key)
        except (OSError, ValueError, KeyError, ImportError) as error:
            if isinstance(error, UsageProblem):
                raise
            msg = f"{path}: cannot read the embeddings ({error})"
            raise UsageProblem(msg) from error

    def content_digest(self, dataset: str) -> str:
        """Return the SHA-256 of the file that holds the embeddings of ``dataset``."""
        with self._file(dataset).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_strangers(where: str, what: str, cells: list[str]) -> None:
    if cells:
        shown = ", ".join(cells[:10]) + (", ..." if len(cells) > 10 else "")
        msg = f"{where} {what} {len(cells)} cells: {shown}"
        raise UsageProblem(msg)


def _npy(path: Path, _: str | None) -> Table:
    names = path.with_suffix(".ids.txt")
    if not names.is_file():
        msg = f"{path}: {names.name} must lie beside it, one cell id a line, so that rows can be aligned"
        raise UsageProblem(msg)
    return np.load(path, allow_pickle=False), np.array(names.read_text(encoding="utf-8").splitlines())


def _npz(path: Path, _: str | None) -> Table:
    with np.load(path, allow_pickle=False) as archive:
        if not {"X", "ids"} <= set(archive.files):
            msg = f"{path}: expected the keys X and ids, found {', '.join(archive.files)}"
            raise UsageProblem(msg)
        return archive["X"], archive["ids"].astype(str)


def _h5ad(path: Path, key: str | None) -> Table:
    import anndata

    adata = anndata.read_h5ad(path, backed="r")
    keys = list(adata.obsm)
    if key is None and len(keys) != 1:
        msg = f"{path}: which of obsm {keys} is the embedding? Say --model {path.name}#KEY"
        raise UsageProblem(msg)
    if key is not None and key not in keys:
        msg = f"{path}: no obsm key {key!r}; it has {keys}"
        raise UsageProblem(msg)
    return np.asarray(adata.obsm[key or keys[0]]), adata.obs_names.to_numpy(dtype=str)


def _parquet(path: Path, _: str | None) -> Table:
    import pandas as pd

    frame = pd.read_parquet(path)
    return frame.to_numpy(), frame.index.to_numpy(dtype=str)


_READERS: dict[str, Callable[[Path, str | None], Table]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".h5ad": _h5ad,
    ".parquet": _parquet,
}

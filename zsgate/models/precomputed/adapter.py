"""Embeddings computed beforehand and read from files, put in the dataset's order by cell id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from zsgate.data.annotations import Strings, refuse_duplicates
from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.models.precomputed.files import FORMATS, Rows, read_rows
from zsgate.system import arrays

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset


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

    fixed: ClassVar[bool] = True  # rows of changed cells cannot be had

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path = path
        self.key = key
        self._left_out: dict[str, str] = {}  # what of a file was not taken, by dataset

    @property
    def info(self) -> ModelInfo:
        """The card, which says little: a file holds rows and no more."""
        notes = (f"precomputed embeddings read from {self.path.name}", *filter(None, self._left_out.values()))
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
            If the file is missing or unreadable, or a cell of the dataset is not in it, or one is that the dataset's
            file never had. Rows of cells that were filtered out or not drawn may be there too, and are left out.
        """
        path = self._file(dataset.name)
        found = self._read(path)
        where = f"{path.name} for dataset {dataset.name!r}"
        rows, ids = found.values, found.ids
        if rows.ndim != 2 or rows.dtype.kind not in "fiub":
            msg = f"{where}: a matrix of numbers is needed, one row a cell, not {rows.dtype} {rows.shape}"
            raise UsageProblem(msg)
        if len(rows) != len(ids):
            msg = f"{where}: {len(rows)} rows but {len(ids)} cell ids"
            raise UsageProblem(msg)
        notes = [found.note] if found.note else []
        place = np.flatnonzero(_wanted(ids, dataset))
        if others := len(ids) - len(place):
            notes.append(f"{others:,} rows of cells that {dataset.name} leaves out or does not draw are not taken")
        refuse_duplicates(where, "cell", ids[place])
        _refuse_others(where, dataset.cell_ids, ids[place])
        self._left_out[dataset.name] = "; ".join(notes)
        row_of = dict(zip(ids[place].tolist(), place.tolist(), strict=True))
        return arrays.take(rows, np.array([row_of[cell] for cell in dataset.cell_ids.tolist()]))

    check = embed  # the rows are at hand: reading them is the check

    def _file(self, dataset: str) -> Path:
        if self.path.is_file():
            return self.path
        found = [path for suffix in FORMATS if (path := self.path / f"{dataset}{suffix}").is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            msg = f"{self.path}: which holds the embeddings of {dataset!r}: {', '.join(path.name for path in found)}?"
        else:
            msg = f"{self.path}: no embeddings of {dataset!r}; expected {dataset} with one of {', '.join(FORMATS)}"
        raise UsageProblem(msg)

    def _read(self, path: Path) -> Rows:
        suffix = path.suffix.lower()
        if suffix not in FORMATS:
            msg = f"{path}: embeddings come as {', '.join(FORMATS)}"
            raise UsageProblem(msg)
        if self.key is not None and suffix != ".h5ad":
            msg = f"{path}#{self.key}: only an .h5ad file has keys"
            raise UsageProblem(msg)
        return read_rows(path, self.key)


def _wanted(ids: Strings, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Return which rows are not those of cells that the dataset's file has and the dataset has not, bool (n_rows,)."""
    if dataset.drawn_from is None:
        return np.ones(len(ids), dtype=bool)
    return np.isin(ids, dataset.cell_ids) | ~np.isin(ids, dataset.drawn_from)


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

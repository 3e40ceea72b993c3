"""Table: cells or genes of a file, by columns, of which only those that are asked for are read."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.data.file.boundary import boundary

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 1 << 28  # more are no cells or genes that anybody has
SQUEEZED = 2000  # times that a table's names can be packed smaller than they are; a file that claims more lies
SMALL = 1 << 26  # bytes that are read whatever is claimed


class Table:
    """A table of cells or genes as AnnData writes it.

    Parameters
    ----------
    stored
        Its group in the file; before anndata 0.7 an array of records.
    where
        Names it in messages.
    categories
        Names that the codes of a column stand for, in files before anndata 0.7, by column.

    Raises
    ------
    UsageProblem
        If it is no table, names a column twice, or its columns have different numbers of rows.
    """

    def __init__(self, stored: Any, where: str, categories: Any = None) -> None:
        self._stored, self._where, self._categories = stored, where, categories or {}
        with boundary(f"{where} is no table"):
            self._index_name, self.columns = _names(stored)
            self._check_columns()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    @cached_property
    def index(self) -> npt.NDArray[np.str_]:
        """Names of the rows, shape (n,)."""
        with boundary(f"{self._where} has no readable names"):
            _refuse_empty_claims(self._part(self._index_name))
            values = self._read(self._index_name)
            if values.isna().any():
                msg = f"{values.isna().sum()} of them are missing"
                raise ValueError(msg)
            names: npt.NDArray[np.str_] = values.astype(str).to_numpy(dtype=str)
            return names

    def column(self, name: str) -> pd.Series:
        """Return a column.

        Raises
        ------
        UsageProblem
            If it is damaged, of a newer format, or holds something else than values.
        """
        with boundary(f"{self._where}: column {name!r} cannot be read"):
            values = self._read(name)
            if len(values) != len(self):
                msg = f"it has {len(values):,} entries for {len(self):,} rows"
                raise ValueError(msg)
            return values

    def frame(self, columns: Iterable[str]) -> pd.DataFrame:
        """Return some columns, by the names of the rows; raises as :meth:`column` does."""
        import pandas as pd

        found = {name: self.column(name).to_numpy() for name in columns}
        return pd.DataFrame(found, index=pd.Index(self.index.astype(object)))

    def _part(self, name: str) -> Any:
        return self._stored[name]

    def _read(self, name: str) -> pd.Series:
        import pandas as pd

        part = self._part(name)
        kind = _encoding(part)
        if kind.endswith("_matrix") or kind in ("dataframe", "dict", "awkward-array"):
            msg = f"it is stored as {kind}"
            raise TypeError(msg)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            values = self._values(name, part)
        if isinstance(values, np.ndarray) and (values.ndim != 1 or values.dtype.kind in "Vc"):
            msg = f"it holds {values.dtype} of shape {values.shape}"
            raise TypeError(msg)
        return pd.Series(values)

    def _values(self, name: str, part: Any) -> Any:
        import pandas as pd
        from anndata.io import read_elem

        if isinstance(part, np.ndarray):  # a field of records
            values = np.char.decode(part, "utf-8") if part.dtype.kind == "S" else part
            if name in self._categories:
                return pd.Categorical.from_codes(values, self._categories[name])
            return values
        if "categories" in part.attrs:  # anndata 0.7: codes, and the place of their names
            return pd.Categorical.from_codes(part[...], read_elem(self._stored[part.attrs["categories"]]))
        return read_elem(part)

    def _check_columns(self) -> None:
        """Raise ValueError unless each column is named once and has as many entries as there are rows."""
        twice = [name for name, times in Counter(self.columns).items() if times > 1]
        if twice:
            msg = f"it names column {twice[0]!r} twice"
            raise ValueError(msg)
        if _is_records(self._stored):
            return
        n_rows = _length(self._part(self._index_name))
        if n_rows is None:
            msg = "its names are no list"
            raise TypeError(msg)
        for name in self.columns:
            n_entries = _length(self._part(name)) if name in self._stored else None
            if n_entries not in (None, n_rows):
                msg = f"column {name!r} has {n_entries:,} entries for {n_rows:,} rows"
                raise ValueError(msg)


def _names(stored: Any) -> tuple[str, tuple[str, ...]]:
    """Return (what the names of the rows are called, names of the columns)."""
    if _is_records(stored):
        index, *columns = stored.dtype.names
        return index, tuple(columns)
    kind = _encoding(stored)
    if kind != "dataframe":
        msg = f"it is stored as {kind or 'something else'}"
        raise TypeError(msg)
    index, columns = stored.attrs["_index"], stored.attrs["column-order"]
    names = [str(name) for name in [index, *columns]]
    for name in names:
        name.encode()  # bytes that are no text cannot even be shown
    return names[0], tuple(names[1:])


def _is_records(stored: Any) -> bool:
    """Return whether a table is an array of records, as before anndata 0.7."""
    return bool(getattr(getattr(stored, "dtype", None), "names", None))


def _encoding(part: Any) -> str:
    return str(dict(getattr(part, "attrs", {})).get("encoding-type", ""))


def _length(part: Any) -> int | None:
    """Return the number of entries of a column, without reading it; None where its form is unknown."""
    for inner in ("codes", "values"):
        if not hasattr(part, "shape") and inner in part:
            part = part[inner]
    shape = getattr(part, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) == 1 else None


def _refuse_empty_claims(part: Any) -> None:
    """Raise ValueError if a list of names claims to have more entries than the file can hold."""
    n_rows = _length(part) or 0
    stored = part.id.get_storage_size() if hasattr(part, "id") and hasattr(part.id, "get_storage_size") else None
    hollow = stored is not None and n_rows * 16 > max(SMALL, SQUEEZED * stored)  # a string takes 16 bytes in HDF5
    if n_rows > MOST_ROWS or hollow:
        msg = f"{n_rows:,} are claimed, more than the file holds"
        raise ValueError(msg)

"""Files of embeddings: rows and the cells they belong to, from the formats in which people keep them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.data.annotations import Strings
from zsgate.data.file.anndata_file import open_file
from zsgate.data.file.boundary import boundary
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    import pandas as pd

NUMBERED = re.compile(r"(.*?)(\d+)")  # a column such as d0, PC_1 or 17


@dataclass(frozen=True, slots=True)
class Rows:
    """An embedding as a file has it.

    Attributes
    ----------
    values
        Any array; rows are cells.
    ids
        Names of the cells, shape (n_cells,).
    note
        What of the file was not taken, or an empty string.
    """

    values: npt.NDArray[Any]
    ids: Strings
    note: str = ""


def read_rows(path: Path, key: str | None) -> Rows:
    """Return what a file holds.

    Parameters
    ----------
    path
        Its suffix, in any case, is one of :data:`FORMATS`.
    key
        Key of ``obsm`` in an ``.h5ad``; None takes the only one.

    Raises
    ------
    UsageProblem
        If it is damaged, or does not say which rows are whose.
    """
    with boundary(f"{path}: cannot read the embeddings"):
        return FORMATS[path.suffix.lower()](path, key)


def _npy(path: Path, _: str | None) -> Rows:
    names = path.with_suffix(".ids.txt")
    if not names.is_file():
        msg = f"{path}: {names.name} must lie beside it, one cell id a line, so that rows can be aligned"
        raise UsageProblem(msg)
    rows = np.lib.format.open_memmap(path, mode="r")  # its rows are taken in another order, not held twice
    lines = names.read_text(encoding="utf-8-sig").splitlines()
    return Rows(rows, np.array(lines, dtype=str))


def _npz(path: Path, _: str | None) -> Rows:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            msg = "it is no archive of arrays"
            raise TypeError(msg)
        if not {"X", "ids"} <= set(archive.files):
            msg = f"{path}: expected the keys X and ids, found {', '.join(archive.files)}"
            raise UsageProblem(msg)
        try:
            rows, ids = _array(path, "X", archive["X"]), _array(path, "ids", archive["ids"])
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise
            msg = f"{path}: X or ids hold objects; save them as numbers and strings, ids=adata.obs_names.to_numpy(str)"
            raise UsageProblem(msg) from None
        return Rows(rows, _names(path, ids))


def _h5ad(path: Path, key: str | None) -> Rows:
    with open_file(path) as file:
        keys = file.embeddings
        if key is None and len(keys) != 1:
            which = f"which of obsm {', '.join(keys)} is the embedding? Say --model {path.name}#KEY"
            msg = f"{path}: {which if keys else 'nothing in obsm'}"
            raise UsageProblem(msg)
        if key is not None and key not in keys:
            msg = f"{path}: no obsm key {key!r}; it has {', '.join(keys) or 'none'}"
            raise UsageProblem(msg)
        found = file.embedding(key or keys[0])
        return Rows(*((found, file.obs.index) if isinstance(found, np.ndarray) else _from_frame(path, found)))


def _parquet(path: Path, _: str | None) -> Rows:
    import pandas as pd

    frame = pd.read_parquet(path)
    text = [str(name) for name in frame if frame[name].dtype.kind not in "biuf"]
    if text and isinstance(frame.index, pd.RangeIndex):
        msg = (
            f"{path}: the cells' ids must be the index and it only counts rows; if they are in column {text[0]!r}: "
            f"frame.set_index({text[0]!r}).to_parquet({path.name!r})"
        )
        raise UsageProblem(msg)
    return Rows(*_from_frame(path, frame))


def _from_frame(path: Path, frame: pd.DataFrame) -> tuple[npt.NDArray[Any], Strings, str]:
    """Return (rows, ids, note) of a table by cell id, of whose columns those that are numbered are the dimensions."""
    dimensions = _dimensions(path, frame)
    others = [str(name) for place, name in enumerate(frame.columns) if place not in dimensions]
    note = f"{len(others)} columns that are no dimensions are not taken: {', '.join(others[:10])}" if others else ""
    return frame.iloc[:, dimensions].to_numpy(), _names(path, frame.index.to_numpy()), note


def _dimensions(path: Path, frame: pd.DataFrame) -> list[int]:
    """Return the places of the columns that are dimensions: those numbered from 0 or 1 where there are any, or all.

    Raises
    ------
    UsageProblem
        If there are several such series, or none and columns of whole numbers beside others.
    """
    series: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(map(str, frame.columns)):
        if match := NUMBERED.fullmatch(name):
            series[match[1]].append(place)

    def numbers(name: str) -> list[int]:
        return sorted(int(str(frame.columns[place])[len(name) :]) for place in series[name])

    counted = {name: found for name in series if len(found := numbers(name)) > 1 and found[0] in (0, 1)}
    numbered = [name for name, found in counted.items() if found == list(range(found[0], found[0] + len(found)))]
    if len(numbered) == 1:
        return series[numbered[0]]
    if not numbered and len({kind.kind == "f" for kind in frame.dtypes}) < 2:
        return list(range(frame.shape[1]))
    shown = [str(frame.columns[series[name][0]]) for name in numbered] or [str(name) for name in frame.columns[:10]]
    msg = (
        f"{path}: which columns are the embedding: {', '.join(shown)}, ...? Keep those only, or number them d0, d1, ..."
    )
    raise UsageProblem(msg)


def _array(path: Path, what: str, found: Any) -> npt.NDArray[Any]:
    if not isinstance(found, np.ndarray):
        msg = f"{path}: {what} is no array"
        raise UsageProblem(msg)
    return found


def _names(path: Path, ids: npt.NDArray[Any]) -> Strings:
    """Return names of cells as strings, or raise UsageProblem if they are no list of names."""
    if ids.ndim != 1:
        msg = f"{path}: one id a cell is needed, not ids of shape {ids.shape}"
        raise UsageProblem(msg)
    if ids.dtype.kind == "U":
        return ids
    import pandas as pd

    if missing := int(pd.isna(ids).sum()):
        msg = f"{path}: {missing} of the ids are missing (NaN)"
        raise UsageProblem(msg)
    return ids.astype(str)


FORMATS: dict[str, Callable[[Path, str | None], Rows]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".h5ad": _h5ad,
    ".parquet": _parquet,
}

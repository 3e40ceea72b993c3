"""Files of embeddings: written in each format, and read without zsgate."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet

FORMATS = (".npy", ".npz", ".h5ad", ".parquet")
KINDS_OF_PARQUET = ("float32", "float64", "int8", "int64", "uint64", "bool")


@dataclass
class Rows:
    """What is written.

    Attributes
    ----------
    values
        The rows, or something else.
    names
        Of the cells.
    line
        What ends a line of a text of names.
    names_as
        Type of the names in an archive.
    """

    values: Any
    names: list[str]
    line: str = "\n"
    names_as: str = "U"


def write(path: Path, rows: Rows, folder: Path, *, pickled: bool = False) -> None:
    """Write a file in the format of its ending."""
    form = path.suffix.lower()
    objects = pickled or rows.values.dtype.kind == "O"
    if form == ".npy":
        np.save(path, rows.values, allow_pickle=objects)
        text = "\ufeff" * (len(rows.names) % 2) + rows.line.join(rows.names) + rows.line
        path.with_suffix(".ids.txt").write_bytes(text.encode())
    elif form == ".npz":
        np.savez(path, X=rows.values, ids=_typed(rows))
    elif form == ".parquet":
        _frame(rows).to_parquet(path)
    else:
        _write_h5ad(path, rows)


def _typed(rows: Rows) -> np.ndarray[Any, Any]:
    if rows.names_as == "i8":
        return np.arange(len(rows.names))
    names = np.array(rows.names, dtype=object)
    return np.char.encode(names.astype(str), "utf-8") if rows.names_as == "S" else names.astype(rows.names_as)


def _frame(rows: Rows) -> pd.DataFrame:
    values = rows.values
    flat = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
    names = [*rows.names, *(f"more {place}" for place in range(len(flat)))][: len(flat)]
    columns = [f"d{place}" for place in range(flat.shape[1])]
    return pd.DataFrame(flat, index=pd.Index(names, dtype=object), columns=columns)


def _write_h5ad(path: Path, rows: Rows) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        obs = pd.DataFrame(index=pd.Index(np.array(rows.names, dtype=object)))
        anndata.AnnData(obs=obs).write_h5ad(path)
    values = rows.values
    if values.dtype.kind in "UOM":
        values = values.astype("S32")
    if values.dtype == np.longdouble:
        values = values.astype(float)
    with h5py.File(path, "r+") as root:
        root.require_group("obsm").create_dataset("X_mine", data=values)


def seen(path: Path) -> tuple[Any, list[str]]:
    """Return (rows, names) of a file, read by the libraries of its format; raises where they cannot."""
    form = path.suffix.lower()
    if form == ".npy":
        names = path.with_suffix(".ids.txt").read_bytes().decode("utf-8-sig").splitlines()
        return np.array(np.load(path, allow_pickle=False)), names
    if form == ".npz":
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            names = archive["ids"]
            assert names.ndim == 1
            return archive["X"], _decoded(names.tolist())
    if form == ".parquet":
        frame = pyarrow.parquet.read_table(path).to_pandas()
        assert not frame.index.hasnans
        places = sorted(int(name[1:]) for name in frame if re.fullmatch(r"d[0-9]+", name))
        numbered = len(places) > 1 and places in (list(range(len(places))), list(range(1, len(places) + 1)))
        rows = frame[[f"d{place}" for place in places]] if numbered else frame  # others are no dimensions then
        return rows.to_numpy(), _decoded(frame.index.tolist())
    with h5py.File(path, "r") as root:
        (key,) = root["obsm"]
        obs = root["obs"]
        return root["obsm"][key][...], _decoded(obs[obs.attrs["_index"]][...].tolist())


def _decoded(names: list[Any]) -> list[str]:
    return [each.decode("utf-8") if isinstance(each, bytes) else str(each) for each in names]

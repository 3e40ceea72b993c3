"""Sound AnnData files, and a plain reader of them that shares no code with zsgate's."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
import zarr

FORMS = ("csr", "csc", "dense")
MIN_GENES = MIN_CELLS = 10  # of the paper's filter


@dataclass(frozen=True)
class Plan:
    """A sound file.

    Attributes
    ----------
    container
        ``"h5ad"``, or ``"zarr"`` and ``"zarr3"`` of the two versions of that format.
    form, dtype, place
        Of the matrix of counts.
    labels
        How the column of labels is stored.
    n_cells, n_genes
        Its size.
    seed
        Of its numbers.
    packed
        Whether it is compressed.
    """

    container: str = "h5ad"
    form: str = "csr"
    dtype: str = "float32"
    place: str = "X"
    labels: str = "categories"
    n_cells: int = 48
    n_genes: int = 30
    seed: int = 0
    packed: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether it has enough cells and genes to be judged on."""
        return self.n_cells >= 48 and self.n_genes >= 30


def write(plan: Plan, path: Path) -> None:
    """Write a sound file."""
    generator = np.random.default_rng(plan.seed)
    counts = generator.poisson(2.0, (plan.n_cells, plan.n_genes)).astype(plan.dtype)
    types = generator.integers(0, 3, plan.n_cells)
    names = np.array(["alpha", "béta ☃", "γ"], dtype=object)[types]
    labels = {
        "categories": lambda: pd.Categorical(names),
        "strings": lambda: names,
        "nullable": lambda: pd.array(names, dtype="string"),
        "numbers": lambda: types,
    }[plan.labels]()
    obs = pd.DataFrame(
        {
            "cell_type": labels,
            "batch": pd.Categorical(np.array(["x", "y"], dtype=object)[np.arange(plan.n_cells) % 2]),
            "donor": np.arange(plan.n_cells) % 4,
        },
        index=pd.Index([f"cell {place}" for place in range(plan.n_cells)], dtype=object),
    )
    var = pd.DataFrame(index=pd.Index([f"G{place}" for place in range(plan.n_genes)], dtype=object))
    matrix = {"csr": sp.csr_matrix, "csc": sp.csc_matrix, "dense": np.asarray}[plan.form](counts)
    adata = anndata.AnnData(obs=obs, var=var)
    if plan.place == "layers/counts":
        adata.layers["counts"] = matrix
    elif plan.place == "raw":
        adata.raw = anndata.AnnData(matrix, obs=obs, var=var)
    else:
        adata.X = matrix
    _store(adata, plan, path)


def _store(adata: anndata.AnnData, plan: Plan, path: Path) -> None:
    packing = {"compression": "gzip"} if plan.packed and plan.container == "h5ad" else {}
    version = 3 if plan.container == "zarr3" else 2
    with (
        warnings.catch_warnings(),
        anndata.settings.override(zarr_write_format=version, allow_write_nullable_strings=True),
    ):
        warnings.simplefilter("ignore")
        if plan.container == "h5ad":
            adata.write_h5ad(path, **packing)
        else:
            adata.write_zarr(path)
            _forget_copies(path)


def _forget_copies(path: Path) -> None:
    """Remove the copies of all attributes that a store keeps at its top: what is changed would not be read."""
    (path / ".zmetadata").unlink(missing_ok=True)
    top = path / "zarr.json"
    if top.is_file():
        top.write_text(json.dumps({**json.loads(top.read_text()), "consolidated_metadata": None}))


def seen(path: Path, place: str) -> dict[str, Any]:
    """Return what a file says of the cells that the paper's filter keeps: names, labels and dense counts."""
    root = zarr.open_group(str(path), mode="r") if path.is_dir() else h5py.File(path, "r")
    try:
        obs, var = root["obs"], root["raw/var" if place == "raw" else "var"]
        cells = {name: _column(obs[name]) for name in ("cell_type", "batch", "donor")}
        names, genes = (_column(table[table.attrs["_index"]], as_written) for table in (obs, var))
        counts = _matrix(root["raw/X" if place == "raw" else place], len(names), len(genes))
    finally:
        if isinstance(root, h5py.File):
            root.close()
    complete = [all(column[place] != "" for column in cells.values()) for place in range(len(names))]
    rows = np.flatnonzero(np.array(complete, dtype=bool) & ((counts != 0).sum(axis=1) >= MIN_GENES))
    columns = np.flatnonzero((counts[rows] != 0).sum(axis=0) >= MIN_CELLS)
    kept = {role: [cells[role][row] for row in rows] for role in cells}
    return {
        "cell_ids": [names[row] for row in rows],
        "cell_types": kept["cell_type"],
        "batches": kept["batch"],
        "donors": kept["donor"],
        "symbols": [genes[column] for column in columns],
        "counts": counts[np.ix_(rows, columns)].astype(np.float32),
    }


def as_written(value: Any) -> str:
    """Return a name; NumPy's text ends before NULs."""
    return (value.decode("utf-8") if isinstance(value, bytes) else str(value)).rstrip("\0")


def as_label(value: Any) -> str:
    """Return a label without blanks around it, whole numbers without a point, empty where it says that it is none."""
    text = as_written(value).removesuffix(".0") if isinstance(value, float) else as_written(value)
    text = text.strip().rstrip("\0")
    return "" if text.lower() == "nan" else text


def _column(part: Any, read: Callable[[Any], str] = as_label) -> list[str]:
    """Return a column as text, empty where a value is missing."""
    if hasattr(part, "shape"):
        return [read(each) for each in part[...].tolist()]
    if "codes" in part:
        names = [read(each) for each in part["categories"][...].tolist()]
        codes = part["codes"][...].tolist()
        if any(not -1 <= code < len(names) for code in codes):
            msg = "a code that no category has"
            raise ValueError(msg)
        return ["" if code == -1 else names[code] for code in codes]
    values, missing = part["values"][...].tolist(), part["mask"][...].tolist()
    return ["" if lacks else read(each) for each, lacks in zip(values, missing, strict=True)]


def _matrix(part: Any, n_cells: int, n_genes: int) -> np.ndarray[Any, Any]:
    """Return a matrix as a dense one, adding up what is stored twice; raises where its parts contradict each other."""
    if hasattr(part, "shape"):
        found = np.asarray(part[...], dtype=np.float64)
    else:
        by_rows = str(part.attrs["encoding-type"]).startswith("csr")
        ends = part["indptr"][...].astype(np.int64)
        lengths = np.diff(ends)
        if ends[0] != 0 or (lengths < 0).any() or ends[-1] != part["data"].shape[0]:
            msg = "the ends contradict the data"
            raise ValueError(msg)
        major = np.repeat(np.arange(len(lengths)), lengths)
        minor = part["indices"][...].astype(np.int64)
        shape = tuple(int(each) for each in part.attrs["shape"])
        if len(minor) and (minor.min() < 0 or minor.max() >= shape[1 if by_rows else 0]):
            msg = "an index out of range"
            raise ValueError(msg)
        found = np.zeros(shape)
        place = (major, minor) if by_rows else (minor, major)
        np.add.at(found, place, part["data"][...].astype(np.float64))
    if found.shape != (n_cells, n_genes):
        msg = f"{found.shape} for {n_cells} x {n_genes}"
        raise ValueError(msg)
    return found

"""A fault of an AnnData file: what is done to one that is open, and what is to come of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import h5py
import zarr
from anndata.io import write_elem

from malformed.cells.files import Plan

Effect = Literal["same", "either", "refused"]  # the meaning stays; refused, or read as it is written; refused
Do = Callable[[Any, Plan, int, int, int], Effect]
FAULTS: dict[str, Callable[[Path, Plan, int, int, int], Effect]] = {}


def fault(do: Do) -> Do:
    """Add a fault to the table, applied to a file by its path."""

    def apply(path: Path, plan: Plan, *where: int) -> Effect:
        if path.is_dir():
            return do(zarr.open_group(str(path), mode="r+"), plan, *where)
        with closing(h5py.File(path, "r+")) as root:
            return do(root, plan, *where)

    FAULTS[do.__name__] = apply
    return do


def place_of(plan: Plan) -> str:
    return "raw/X" if plan.place == "raw" else plan.place


def var_of(plan: Plan) -> str:
    return "raw/var" if plan.place == "raw" else "var"


def put(root: Any, place: str, values: Any) -> None:
    """Write an array in the place of what is there, with its attributes."""
    attributes = dict(root[place].attrs)
    write_elem(root, place, values)
    for name, value in attributes.items():
        if not (name.startswith("encoding") and values.dtype.kind == "O"):
            root[place].attrs[name] = value


def changed(root: Any, place: str, at: int, value: Any) -> None:
    """Change one number of an array."""
    values = root[place][...]
    flat = values.reshape(-1)
    flat[at % len(flat)] = value
    put(root, place, values)


def claim(root: Any, place: str, shape: tuple[int, ...], dtype: str = "f4") -> None:
    """Put an array there that claims a shape and holds nothing."""
    attributes = dict(root[place].attrs)
    del root[place]
    chunks = tuple(min(1024, each) for each in shape)
    make = root.create_dataset if isinstance(root, h5py.File) else root.create_array
    made = make(place, shape=shape, dtype=dtype, chunks=chunks)
    made.attrs.update({name: attributes[name] for name in attributes if name.startswith("encoding")})

"""Faults of AnnData files: what is done to one that is open, and what is to come of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import zarr
from anndata.io import write_elem

from malformed.anndata_truth import Plan

Effect = Literal["same", "either", "refused"]  # the meaning stays; refused, or read as it is written; refused
Do = Callable[[Any, Plan, int, int, int], Effect]
FAULTS: dict[str, Callable[[Path, Plan, int, int, int], Effect]] = {}
HUGE = 1 << 40
LONG = "x" * (4 << 20)


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


@fault
def nothing(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    return "same"


@fault
def bad_value(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    place = place_of(plan) + ("" if plan.form == "dense" else "/data")
    values = root[place][...].astype("float64")
    flat = values.reshape(-1)
    flat[a % len(flat)] = (np.nan, np.inf, -1.0, 0.5, float(1 << 24), 1e300, -np.inf)[b % 7]
    put(root, place, values)
    return "refused"


@fault
def other_numbers(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    place = place_of(plan) + ("" if plan.form == "dense" else "/data")
    kind = ("int8", "uint64", "float16", ">f8", ">i4", "complex64", "S3", "bool", "float32")[b % 9]
    if kind == "bool":
        put(root, place, root[place][...] > 0)
        return "either"
    put(root, place, root[place][...].astype(kind))
    return "refused" if kind in ("complex64", "S3") else "same"


@fault
def bad_ends(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        return "same"
    place = f"{place_of(plan)}/indptr"
    ends = root[place][...].astype("int64")
    at = (-1, 0, a % len(ends), -1, -1)[b % 5]
    value = (-1, 3, ends[-1] + 1 + c, ends[-1] + 1, ends[-1] - 1)[b % 5]
    ends[at] = value
    put(root, place, ends)
    return "refused"


@fault
def ends_out_of_order(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        return "same"
    place = f"{place_of(plan)}/indptr"
    ends = root[place][...]
    at = 1 + a % max(1, len(ends) - 2)
    ends[at] = ends[-1]
    put(root, place, ends)
    return "either"


@fault
def bad_index(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        return "same"
    most = plan.n_genes if plan.form == "csr" else plan.n_cells
    place = f"{place_of(plan)}/indices"
    put(root, place, root[place][...].astype("int64"))
    changed(root, place, a, (most, -1, most + c, 1 << 40, -(1 << 31))[b % 5])
    return "refused"


@fault
def same_index_twice(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        return "same"
    place = f"{place_of(plan)}/indices"
    values = root[place][...]
    values[1 + a % (len(values) - 1)] = values[a % (len(values) - 1)]
    put(root, place, values)
    return "either"


@fault
def unsorted_indices(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        return "same"
    place = place_of(plan)
    ends = root[f"{place}/indptr"][...]
    for part in ("data", "indices"):
        values = root[f"{place}/{part}"][...]
        put(root, f"{place}/{part}", np.concatenate([values[i:j][::-1] for i, j in zip(ends[:-1], ends[1:])]))
    return "same"


@fault
def stored_zeros(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    place = place_of(plan) + ("" if plan.form == "dense" else "/data")
    changed(root, place, a, 0)
    return "either"


@fault
def bad_shape(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        values = root[place_of(plan)][...]
        put(root, place_of(plan), (values[:-1], values[:, :-1], values.T, values.reshape(-1), values[None])[b % 5])
        return "refused"
    n, m = plan.n_cells, plan.n_genes
    shapes: list[Any] = [(n - 1, m), (n, m + 1), (m, n), (n,), (n, m, 1), (HUGE, m), (n, 1 << 62), (-1, m), "x", 3.5]
    root[place_of(plan)].attrs["shape"] = shapes[b % len(shapes)]
    return "refused"


@fault
def part_missing(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    sparse = [] if plan.form == "dense" else [f"{place_of(plan)}/{part}" for part in ("data", "indices", "indptr")]
    gone = [*sparse, place_of(plan), "obs", var_of(plan), "obs/cell_type", "obs/donor", "obs/_index"]
    del root[gone[b % len(gone)]]
    return "refused"


@fault
def part_of_other_length(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    parts = ["obs/_index", f"{var_of(plan)}/_index", "obs/donor"]
    parts += [] if plan.form == "dense" else [f"{place_of(plan)}/{part}" for part in ("data", "indices", "indptr")]
    place = parts[b % len(parts)]
    values = root[place][...]
    put(root, place, np.concatenate([values, values[-1:]]) if a % 2 else values[:-1])
    return "refused"


@fault
def part_of_other_kind(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    parts = ["obs/donor"] + ([] if plan.form == "dense" else [f"{place_of(plan)}/{p}" for p in ("indices", "indptr")])
    place = parts[b % len(parts)]
    values = root[place][...]
    put(root, place, (values.astype("S8"), values + 0.5, values.reshape(1, -1), values * 1j, np.array(3))[a % 5])
    return "either" if place == "obs/donor" and a % 5 == 0 else "refused"


@fault
def huge_claim(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        claim(root, place_of(plan), ((HUGE, plan.n_genes), (plan.n_cells, HUGE))[a % 2])
    else:
        claim(root, f"{place_of(plan)}/{('data', 'indices', 'indptr')[b % 3]}", (HUGE,), "i8")
    return "refused"


@fault
def other_encoding(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    other = "csc_matrix" if plan.form == "csr" else "csr_matrix"
    places = [place_of(plan), "obs", var_of(plan), "obs/cell_type", "obs/_index"]
    place = places[a % 5] if plan.form != "dense" else places[1 + a % 4]
    root[place].attrs["encoding-type"] = (other, "dataframe", "of-the-future", "", "dict", "array", "null")[b % 7]
    return "either"


@fault
def attribute_missing(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    part = root[(place_of(plan), "obs", var_of(plan), "obs/cell_type")[a % 4]]
    names = sorted(part.attrs)
    del part.attrs[names[b % len(names)]]
    return "either"


@fault
def bad_codes(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    value = (2, 127, -2, -128, 50)[b % 5]
    changed(root, "obs/batch/codes", a, value)
    return "refused"


@fault
def missing_values(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    changed(root, "obs/batch/codes", a, -1)
    return "either"


@fault
def same_category_twice(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    put(root, "obs/batch/categories", np.array(["x", ("x", "", "x ", "nan")[b % 4]], dtype=object))
    return "either"


@fault
def column_listed(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    table = root["obs"]
    columns = [str(each) for each in table.attrs["column-order"]]
    lists = [[*columns, "absent"], [*columns, columns[0]], columns[1:], columns[::-1], [*columns, "obs/x"]]
    table.attrs["column-order"] = lists[b % 5]
    return ("either", "refused", "either", "same", "either")[b % 5]


@fault
def names_twice(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    place = ("obs/_index", f"{var_of(plan)}/_index")[b % 2]
    values = root[place][...].astype(object)
    values[a % len(values)] = values[(a + 1) % len(values)]
    put(root, place, values)
    return "either"


@fault
def strange_names(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    place = ("obs/_index", f"{var_of(plan)}/_index")[a % 2]
    values = root[place][...].astype(object)
    values[a % len(values)] = (LONG, "é\u202e☃", "a\nb", "\U0010ffff", "", " ", "a/b#c", "a\0b", "a\0")[c % 9]
    if isinstance(root, h5py.File):
        values[a % len(values)] = str(values[a % len(values)]).replace("\0", "?")
    put(root, place, values)
    return "either"


@fault
def other_places(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    other = np.ones((plan.n_cells + 1, plan.n_genes), "float32")
    if b % 3 == 0:
        write_elem(root, "obsm/X_other", other)
        return "same"
    write_elem(root, "layers/other", other)
    write_elem(root, "uns/note", np.array([b"\xff\xfe"], dtype="S2"))
    return "either"

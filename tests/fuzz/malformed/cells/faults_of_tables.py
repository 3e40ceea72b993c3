"""Faults of the tables of cells and genes, and of what all parts have: lengths, types and attributes."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from anndata.io import write_elem

from malformed.cells.fault import FAULTS, Effect, changed, fault, place_of, put, var_of
from malformed.cells.files import Plan

__all__ = ("FAULTS",)

LONG = "x" * (4 << 20)


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

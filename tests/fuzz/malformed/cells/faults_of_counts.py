"""Faults of the matrix of counts; two of them also put matrices where none is looked for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from malformed.cells.fault import FAULTS, Effect, changed, claim, fault, place_of, put
from malformed.cells.files import Plan

__all__ = ("FAULTS",)

HUGE = 1 << 40


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
        put(root, f"{place}/{part}", np.concatenate([values[i:j][::-1] for i, j in pairwise(ends)]))
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
def huge_claim(root: Any, plan: Plan, a: int, b: int, c: int) -> Effect:
    if plan.form == "dense":
        claim(root, place_of(plan), ((HUGE, plan.n_genes), (plan.n_cells, HUGE))[a % 2])
    else:
        claim(root, f"{place_of(plan)}/{('data', 'indices', 'indptr')[b % 3]}", (HUGE,), "i8")
    return "refused"

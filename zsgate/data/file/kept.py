"""Kept: a dataset as arrays and notes, for the store, so that the next run reads it without HDF5, zarr or pandas.

Reading a small file takes less time than loading what reads it, which every run and each of its workers would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.counts import was_checked
from zsgate.data.dataset import Dataset
from zsgate.data.expression import Expression

MOST_BYTES = 1 << 28  # as it is kept; 20,000 cells take some 100 MB. A larger dataset is read from its file again
NAMES = ("cell_ids", "cell_types", "symbols", "ensembl", "batches", "donors", "drawn_from")  # columns of text
PARTS = ("data", "indices", "indptr")  # of the matrix

Arrays = list[npt.NDArray[Any]]


def is_small(dataset: Dataset) -> bool:
    """Return whether a dataset is worth keeping; counts that lie on disk are kept already."""
    counts, columns = dataset.counts, [getattr(dataset, name) for name in NAMES]
    if was_checked(counts):
        return False
    of_a_number = sum(_narrowest(getattr(counts, name)).itemsize for name in PARTS[:2])
    of_names = sum(each.nbytes for each in columns if each is not None)
    return bool(int(counts.nnz) * of_a_number + of_names <= MOST_BYTES)


def to_arrays(dataset: Dataset) -> tuple[Arrays, dict[str, Any]]:
    """Return (arrays, JSON-able notes) that :func:`from_arrays` makes the same dataset of."""
    parts = {name: getattr(dataset.counts, name) for name in PARTS}
    arrays = {name: part.astype(_narrowest(part)) for name, part in parts.items()}
    arrays |= {name: values for name in NAMES if (values := getattr(dataset, name)) is not None}
    if dataset.expression is not None:
        arrays["rows"] = dataset.expression.rows
    notes = {
        "arrays": list(arrays),
        "name": dataset.name,
        "shape": list(dataset.counts.shape),
        "scope": dataset.scope,
        "card": dict(dataset.card),
        "expression": None if dataset.expression is None else str(dataset.expression.path),
    }
    return list(arrays.values()), notes


def from_arrays(arrays: tuple[npt.NDArray[Any], ...], notes: Mapping[str, Any]) -> Dataset:
    """Return the dataset that :func:`to_arrays` was given, checked as any other is.

    Raises
    ------
    UsageProblem
        If it breaks the contract of a dataset.
    """
    found = dict(zip(notes["arrays"], arrays, strict=True))
    indices, indptr = (found[name].astype(np.int32) for name in PARTS[1:])
    counts = sp.csr_matrix((found["data"].astype(np.float32), indices, indptr), shape=tuple(notes["shape"]))
    path = notes["expression"]
    return Dataset(
        name=notes["name"],
        counts=counts,
        scope=notes["scope"],
        card=notes["card"],
        expression=None if path is None else Expression(Path(path), found["rows"]),
        **{name: found.get(name) for name in NAMES},  # type: ignore[arg-type]
    )


def _narrowest(numbers: npt.NDArray[Any]) -> np.dtype[Any]:
    """Return the smallest type that holds all of some whole numbers from 0."""
    return np.min_scalar_type(int(numbers.max(initial=0)))

"""A pickle of labels, read without running anything that it names."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zsgate.data.annotations import Strings
from zsgate.errors import UsageProblem


class _Inert:
    """Stands for an object of pandas in a pickle: keeps what it is given and does nothing with it."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _inert_index(_: Any, arguments: Mapping[str, object]) -> _Inert:
    index = _Inert()
    index.state = arguments.get("data")
    return index


class _SafeUnpickler(pickle.Unpickler):
    """Reads arrays; classes of pandas are replaced by one that does nothing, others are refused and never called."""

    def find_class(self, module: str, name: str) -> Any:
        multiarray = np._core.multiarray  # type: ignore[attr-defined]
        if module.startswith("pandas.core."):
            return _inert_index if name == "_new_Index" else _Inert
        known = {
            ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("builtins", "slice"): slice,
        }
        if (module, name) not in known:
            msg = f"{module}.{name} has no place in a table of labels; nothing was executed"
            raise pickle.UnpicklingError(msg)
        return known[module, name]


def read_pbmc_metadata(path: Path) -> tuple[Strings, np.ndarray, Strings]:
    """Return (barcodes, cluster of each, names of the clusters) of scVI-data's pbmc_metadata.pickle.

    Raises
    ------
    UsageProblem
        If the file is damaged, or holds anything but tables.
    """
    try:
        with path.open("rb") as file:
            found = _SafeUnpickler(file).load()
        axes = found["barcodes"].state["_data"].state[0]
        clusters, names = np.asarray(found["clusters"]), np.asarray(found["list_clusters"], dtype=str)
        barcodes = next(axis.state for axis in axes if len(axis.state) == len(clusters)).astype(str)
    except Exception as error:  # the boundary to pickle: a damaged one fails in any way
        msg = f"{path} is not the table of labels of scVI-data ({error})"
        raise UsageProblem(msg) from error
    return barcodes, clusters, names

"""Answers: what a worker wrote, put together and held against the cells that it was given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.data.annotations import Strings
from zsgate.data.dataset import Dataset
from zsgate.errors import CandidateFailed, UsageProblem
from zsgate.models.precomputed.files import FORMATS, Rows, read_rows
from zsgate.models.reconstruction import Reconstruction
from zsgate.system import arrays

NAMED = 5  # cells that are named in a message
ARRAYS = ("cells", "offsets", "genes", "target", "masked", "noise_floor", "tokens")
TYPES = {"cells": np.intp, "offsets": np.int64, "genes": np.int32, "target": np.float32, "masked": np.bool_}
TYPES |= {"noise_floor": np.float32, "tokens": np.int32}


def gather_rows(folder: Path, dataset: Dataset) -> npt.NDArray[Any]:
    """Return the rows that a worker wrote, (n_cells, n_dimensions), in the order of the dataset's cells.

    Raises
    ------
    CandidateFailed
        If there are none, parts are of different widths, or the cells are not those of the dataset, each once.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in FORMATS]
    if not paths:
        msg = "it gave no rows at all"
        raise CandidateFailed(msg)
    try:
        parts = [read_rows(path, None) for path in paths]
    except UsageProblem as problem:
        raise CandidateFailed(str(problem)) from problem
    _refuse_misshapen(parts)
    ids = np.concatenate([part.ids for part in parts])
    place = _places(ids, dataset.cell_ids)
    if len(parts) == 1:
        return arrays.take(parts[0].values, np.argsort(place, kind="stable"))
    kind = np.result_type(*(part.values.dtype for part in parts))
    rows = arrays.empty((len(ids), parts[0].values.shape[1]), kind)
    start = 0
    for part in parts:
        rows[place[start : start + len(part.ids)]] = part.values
        start += len(part.ids)
    return rows


def _refuse_misshapen(parts: list[Rows]) -> None:
    for part in parts:
        if part.values.ndim != 2 or part.values.dtype.kind not in "fiub":
            kind = f"{part.values.dtype} {part.values.shape}"
            msg = f"it must give a 2-D array of numbers, one row a cell; it gave {kind}"
            raise CandidateFailed(msg)
        if len(part.values) != len(part.ids):
            msg = f"it gave {len(part.values)} rows for {len(part.ids)} cells"
            raise CandidateFailed(msg)
    widths = sorted({part.values.shape[1] for part in parts})
    if len(widths) > 1:
        msg = f"it gave rows of different widths: {', '.join(map(str, widths))}"
        raise CandidateFailed(msg)


def _places(ids: Strings, expected: Strings) -> npt.NDArray[np.intp]:
    """Return which of the expected cells each row is of; refuse other cells, cells left out and cells given twice."""
    order = np.argsort(expected, kind="stable")
    found = np.minimum(np.searchsorted(expected, ids, sorter=order), len(expected) - 1)
    place: npt.NDArray[np.intp] = order[found]
    strange = expected[place] != ids
    times = np.bincount(place[~strange], minlength=len(expected))
    faults = {
        "left out": expected[times == 0],
        "gave more than once": expected[times > 1],
        "gave though nobody asked for them": ids[strange],
    }
    wrong = [
        f"{len(cells)} cells it {what} ({', '.join(cells[:NAMED].tolist())}{', ...' if len(cells) > NAMED else ''})"
        for what, cells in faults.items()
        if len(cells)
    ]
    if wrong:
        msg = f"it did not give each of {len(expected)} cells its row: {'; '.join(wrong)}"
        raise CandidateFailed(msg)
    return place


def gather_predictions(folder: Path) -> Iterator[Reconstruction]:
    """Yield the predictions that a worker wrote, a part at a time.

    Raises
    ------
    CandidateFailed
        If a part cannot be read, or its arrays do not fit together.
    """
    for path in sorted(folder.glob("part-*.npz")):
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as part:
                found = {name: part[name].astype(TYPES[name], copy=False) for name in ARRAYS if name in part}
                heads = {name.partition(".")[2]: part[name] for name in part if name.startswith("predictions.")}
                made = Reconstruction(predictions=heads, scale=str(part["scale"]), **found)  # type: ignore[arg-type]
        except (OSError, ValueError, TypeError, KeyError, EOFError) as error:
            msg = f"reconstruct: a part of the answer cannot be read ({type(error).__name__}: {error})"
            raise CandidateFailed(msg) from error
        yield made


def read_targets(folder: Path) -> npt.NDArray[Any]:
    """Return the bins that a worker wrote, (n_cells, n_genes).

    Raises
    ------
    CandidateFailed
        If there are none.
    """
    try:
        with (folder / "part-000000000.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as part:
            return np.asarray(part["values"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        msg = f"targets gave nothing that can be read ({type(error).__name__}: {error})"
        raise CandidateFailed(msg) from error

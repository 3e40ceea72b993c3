"""AnnData files, .h5ad and .zarr, with one or two faults: the reader's counts and names are those that are written."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from malformed.bytes_changed import change_file, change_folder
from malformed.cells import faults_of_counts, faults_of_tables
from malformed.cells.fault import Effect
from malformed.cells.files import FORMS, Plan, seen, write
from malformed.kind import Came, Lost, refusal
from zsgate.data import read
from zsgate.data.annotations import Columns
from zsgate.data.check import check_file
from zsgate.data.file import matrix

FAULTS = faults_of_counts.FAULTS | faults_of_tables.FAULTS
COLUMNS = Columns(label="cell_type", batch="batch", donor="donor")


@dataclass(frozen=True)
class Case:
    """A file and its faults.

    Attributes
    ----------
    plan
        The sound file.
    faults
        (name in FAULTS, three numbers that say where) in turn.
    flips
        Seed of the bytes that are changed afterwards; None changes none.
    large
        Whether its counts are read as those of a file that does not fit into memory.
    """

    plan: Plan
    faults: tuple[tuple[str, int, int, int], ...] = ()
    flips: int | None = None
    large: bool = False


@cache
def cases() -> st.SearchStrategy[Case]:
    """Return sound files, half of them with one fault, some with two, and some with bytes changed."""
    numbers = st.integers(0, 10**6)
    plan = st.builds(
        Plan,
        container=st.sampled_from((*["h5ad"] * 6, "zarr", "zarr3")),
        form=st.sampled_from(FORMS),
        dtype=st.sampled_from(("float32", "float64", "int32", "int64", "uint16", "uint8")),
        place=st.sampled_from(("X", "X", "layers/counts", "raw")),
        labels=st.sampled_from(("categories", "strings", "nullable", "numbers")),
        n_cells=st.sampled_from((48,) * 9 + (60, 12, 1, 0)),
        n_genes=st.sampled_from((30,) * 9 + (41, 11, 1, 0)),
        seed=numbers,
        packed=st.booleans(),
    )
    fault = st.tuples(st.sampled_from(sorted(FAULTS)), numbers, numbers, numbers)
    faults = st.sampled_from((0, 1, 1, 1, 1, 2)).flatmap(lambda n: st.lists(fault, min_size=n, max_size=n).map(tuple))
    flips = st.one_of(st.none(), st.none(), st.none(), numbers)
    return st.builds(Case, plan, faults, flips, st.booleans())


def check(case: Case, folder: Path) -> Came:
    """Return what came of reading the file in a run, and of ``zsgate data check``."""
    path = folder / f"cells.{case.plan.container[:4]}"
    write(case.plan, path)
    effect = _spoil(case, path)
    read.IN_MEMORY, matrix.BLOCK = (50, 200) if case.large else (1 << 26, 1 << 23)
    found, said = refusal(lambda: read.read_h5ad(path, "cells", COLUMNS, cache=folder / "kept"))
    checkup, unchecked = refusal(lambda: check_file(path, COLUMNS))
    if checkup is not None and any("\n" in line for line in (*checkup.lines, *checkup.problems)):
        msg = f"several lines: {checkup}"
        raise Lost(msg)
    if checkup is not None and checkup.usable and not case.large and said:
        msg = f"data check finds nothing wrong, and a run says: {said}"
        raise Lost(msg)
    if said:
        if effect == "same" and case.plan.is_sound:
            msg = f"sound cells are refused: {said}"
            raise Lost(msg)
        return Came.REFUSED
    others = () if unchecked else [each for each in checkup.problems if "embeddings" not in each]  # a run needs none
    if unchecked or others:
        msg = f"a run reads what data check refuses: {unchecked or checkup}"
        raise Lost(msg)
    if effect == "refused":
        msg = f"it is read as {found}, and is wrong"
        raise Lost(msg)
    _compare(found, path, case)
    return Came.ACCEPTED


def _spoil(case: Case, path: Path) -> Effect:
    """Apply the faults, and return what is to come of all of them."""
    effects: list[Effect] = []
    for name, *where in case.faults:
        try:
            effects.append(FAULTS[name](path, case.plan, *where))
        except (KeyError, IndexError, ZeroDivisionError, ValueError, TypeError, MemoryError):
            if len(case.faults) == 1 and case.plan.is_sound:
                raise
            effects.append("either")  # it needs what an earlier fault removed, or what so few cells do not have
    if case.flips is not None:
        (change_folder if path.is_dir() else change_file)(path, random.Random(case.flips))
        effects.append("either")
    if len(effects) == 1:
        return effects[0]
    return "same" if all(each == "same" for each in effects) else "either"


def _compare(found: Any, path: Path, case: Case) -> None:
    """Raise Lost unless a dataset is what another reader finds in the file."""
    try:
        truth = seen(path, case.plan.place)
    except Exception as error:
        msg = f"it is read as {found}, and nobody else can read it: {error!r}"
        raise Lost(msg) from error
    for field in ("cell_ids", "cell_types", "batches", "donors", "symbols"):
        now, then = getattr(found, field).tolist(), truth[field]
        if now != then:
            msg = f"{field} is read as {now[:5]!r} and written as {then[:5]!r}"
            raise Lost(msg)
    counts: np.ndarray[Any, Any] = found.counts[: found.n_cells].toarray()
    if not np.array_equal(counts, truth["counts"]):
        msg = f"{int((counts != truth['counts']).sum())} counts are wrong"
        raise Lost(msg)

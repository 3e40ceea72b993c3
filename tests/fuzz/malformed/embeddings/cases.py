"""Files of embeddings with faults in rows, names, types and bytes: what is read is what is written."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from malformed.bytes_changed import change_file
from malformed.embeddings.files import FORMATS, KINDS_OF_PARQUET, Rows, seen, write
from malformed.harmful import Harmful
from malformed.kind import Came, Lost, refusal
from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.embedding import LOSS, check_rows
from zsgate.models.precomputed.adapter import Precomputed

N_CELLS, WIDTH = 40, 3
KINDS = ("float32", "float64", "float16", "int8", "int64", "uint64", "bool", ">f8", ">i4", "longdouble")
STRANGE = ("complex64", "U4", "S4", "M8[s]", "object")
ON_ROWS = (
    "NaN",
    "inf",
    "huge",
    "constant",
    "no columns",
    "flat",
    "cube",
    "Fortran",
    "far away",
    "row less",
    "row more",
)
ON_NAMES = ("permuted", "renamed", "twice", "blank", "spaces", "unicode", "name less", "name more", "lines", "as bytes")
ON_FILES = ("symlink", "loop", "folder", "capitals", "empty", "other format", "huge claim", "payload", "no names")


@dataclass(frozen=True)
class Case:
    """A file of embeddings and its faults.

    Attributes
    ----------
    form
        Ending of the file.
    kind
        Type of its numbers.
    faults
        (name, a number that says where) in turn.
    flips
        Seed of the bytes that are changed; None changes none.
    seed
        Of the numbers.
    """

    form: str
    kind: str = "float32"
    faults: tuple[tuple[str, int], ...] = ()
    flips: int | None = None
    seed: int = 0


@cache
def cases() -> st.SearchStrategy[Case]:
    """Return sound files and such with one or two faults, or with bytes changed."""
    numbers = st.integers(0, 10**6)
    fault = st.tuples(st.sampled_from((*ON_ROWS, *ON_NAMES, *ON_FILES)), numbers)
    faults = st.sampled_from((0, 1, 1, 1, 2)).flatmap(lambda n: st.lists(fault, min_size=n, max_size=n).map(tuple))
    kinds = st.sampled_from((*("float32",) * 5, *KINDS, *KINDS, *STRANGE))
    return st.builds(Case, st.sampled_from(FORMATS), kinds, faults, st.one_of(*[st.none()] * 4, numbers), numbers)


@cache
def dataset() -> Dataset:
    """Return the cells to which the rows belong."""
    generator = np.random.default_rng(0)
    names = np.array([f"cell {place}" for place in range(N_CELLS)])
    genes = np.array([f"G{place}" for place in range(20)])
    counts = generator.poisson(2.0, (N_CELLS, 20)) + 1
    return Dataset(
        name="cells", counts=counts, cell_ids=names, cell_types=np.resize(["a", "b"], N_CELLS), symbols=genes
    )


def check(case: Case, folder: Path) -> Came:
    """Return what came of reading the file as a run does."""
    path = _made(case, folder)
    asked = folder if ("folder", 0) in [(name, 0) for name, _ in case.faults] else path
    found, said = refusal(lambda: _read(asked))
    if (folder / "executed").exists():
        msg = "code in the file was executed"
        raise Lost(msg)
    if said and (case.flips is not None or any(name in ON_FILES for name, _ in case.faults)):
        return Came.REFUSED  # what it holds need not be known, and a library may hang over it
    try:
        truth = _meant(path)
    except Exception as error:  # nobody can read it
        truth = error
    if said:
        if isinstance(truth, np.ndarray):
            msg = f"sound rows are refused: {said}"
            raise Lost(msg)
        return Came.REFUSED
    if isinstance(truth, Exception):
        msg = f"rows are read, and nobody else reads them: {truth!r}"
        raise Lost(msg) from truth
    if not np.array_equal(found, truth):
        msg = f"other rows are read than are written: {found[0]} and {truth[0]}"
        raise Lost(msg)
    return Came.ACCEPTED


def _read(path: Path) -> Any:
    """Return rows as a run takes them; what it refuses as the candidate's is a refusal as well."""
    rows = Precomputed(path).embed(dataset())
    try:
        return check_rows(rows, source="mine", n_cells=N_CELLS)
    except ValueError as error:
        raise UsageProblem(str(error)) from None


def _meant(path: Path) -> np.ndarray[Any, Any]:
    """Return the rows that a file has for the cells, or raise if it has none that can be used."""
    rows, names = seen(path)
    rows = np.asarray(rows)
    assert rows.ndim == 2, rows.shape
    assert rows.dtype.kind in "fiub", rows.dtype
    assert rows.shape[1] > 0
    assert len(rows) == len(names)
    assert sorted(names) == sorted(dataset().cell_ids.tolist())
    place = {name: at for at, name in enumerate(names)}
    taken = rows[[place[name] for name in dataset().cell_ids.tolist()]]
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = taken.astype(np.float32)
    assert np.isfinite(narrow).all()
    assert (taken != taken[0]).any()
    wide = taken.astype(np.float64)
    spread = np.square(wide - wide.mean(axis=0)).sum()
    assert np.square(wide - narrow).sum() <= LOSS * spread * 0.99
    return narrow


def _made(case: Case, folder: Path) -> Path:
    """Write the file with its faults."""
    generator = random.Random(case.seed)
    kind = case.kind if case.form != ".parquet" or case.kind in KINDS_OF_PARQUET else "float32"
    values = np.random.default_rng(case.seed).normal(0, 9, (N_CELLS, WIDTH))
    rows = (values > 0) if kind == "bool" else np.abs(values) if kind.startswith("uint") else values
    found = Rows((rows.astype("i8") if kind == "M8[s]" else rows).astype(kind), dataset().cell_ids.tolist())
    for name, where in case.faults:
        if name in ON_ROWS:
            _spoil_rows(found, name, where)
        elif name in ON_NAMES:
            _spoil_names(found, name, where)
    path = folder / f"cells{case.form}"
    write(path, found, folder)
    for name, where in case.faults:
        if name in ON_FILES:
            path = _spoil_file(path, name, where, folder)
    if case.flips is not None and path.is_file():
        change_file(path, generator)
    return path


def _spoil_rows(found: Rows, name: str, where: int) -> None:
    rows = found.values
    at, fractional = where % max(1, len(rows)), rows.dtype.kind == "f"
    if name in ("NaN", "inf", "huge") and fractional and rows.size:
        rows = rows.copy()
        rows[at] = {"NaN": np.nan, "inf": -np.inf, "huge": np.finfo(rows.dtype).max}[name]
    elif name == "far away" and rows.dtype.kind == "f" and rows.dtype.itemsize > 4:
        rows = rows + 10.0 ** (where % 14)
    shapes = {
        "constant": lambda: np.repeat(rows[:1], len(rows), axis=0),
        "no columns": lambda: rows[:, :0],
        "flat": lambda: rows[:, 0] if rows.shape[1] else rows.ravel(),
        "cube": lambda: rows[:, :, None],
        "Fortran": lambda: np.asfortranarray(rows),
        "row less": lambda: np.delete(rows, at, axis=0),
        "row more": lambda: np.concatenate([rows, rows[:1]]),
    }
    found.values = shapes[name]() if name in shapes and rows.ndim == 2 else rows


def _spoil_names(found: Rows, name: str, where: int) -> None:
    names = found.names
    at = where % len(names)
    if name == "permuted" and len(found.values) == len(names):
        order = random.Random(where).sample(range(len(names)), len(names))
        found.values, found.names = found.values[order], [names[place] for place in order]
    new = {
        "renamed": "stranger",
        "twice": names[at - 1],
        "blank": "",
        "spaces": f" {names[at]} ",
        "unicode": "é☃\u202e",
    }
    if name in new:
        names[at] = new[name]
    elif name == "name less":
        del names[at]
    elif name == "name more":
        names.append("one more")
    elif name == "lines":
        found.line = ("\r\n", "\r", "\n\n", "\u2028")[where % 4]
    elif name == "as bytes":
        found.names_as = ("S", "O", "i8", "U")[where % 4]


def _spoil_file(path: Path, name: str, where: int, folder: Path) -> Path:
    if not path.is_file():
        return path
    if name == "symlink":
        path.rename(folder / f"elsewhere{path.suffix}")
        path.symlink_to(folder / f"elsewhere{path.suffix}")
    elif name == "loop":
        path.unlink()
        path.symlink_to(path)
    elif name == "capitals":
        path = path.rename(path.with_suffix(path.suffix.upper()))
    elif name == "empty":
        path.write_bytes(b"")
    elif name == "other format":
        other = FORMATS[where % len(FORMATS)]
        write(folder / f"other{other}", Rows(np.ones((N_CELLS, 2)), dataset().cell_ids.tolist()), folder)
        (folder / f"other{other}").replace(path)
    elif name == "huge claim" and path.suffix.lower() == ".npy":
        path.write_bytes(path.read_bytes().replace(b"(40, 3), }         ", b"(4000000000000, 3)}", 1))
    elif name == "payload" and path.suffix.lower() in (".npy", ".npz"):
        harm = np.array([[Harmful(str(folder / "executed"))] * 2] * N_CELLS, dtype=object)
        write(path, Rows(harm, dataset().cell_ids.tolist()), folder, pickled=True)
    elif name == "no names":
        path.with_suffix(".ids.txt").unlink(missing_ok=True)
    return path

"""Faults of what lies beside the tensors: vocabularies, dictionaries, lists of genes and settings."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from malformed.checkpoints.fault import Effect, Fault
from malformed.checkpoints.tiny_models import saved, tensors_of
from malformed.harmful import Harmful

TABLES: dict[str, Fault] = {}
FORMATS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    ".json": (json.loads, lambda table: json.dumps(table).encode()),
    ".pkl": (pickle.loads, pickle.dumps),
    ".pickle": (pickle.loads, pickle.dumps),
    ".pt": (tensors_of, saved),
}
NO_ENTRIES = b"\x80\x04}."
ODD = (None, True, -1, 0, 1.5, float("nan"), float("inf"), 10**400, "text", "", [], {}, 10**9, -0.5, "x" * 5000, "a\nb")


def of_table(do: Callable[[Any, str, int, Path], Any]) -> None:
    """Add a fault that changes a JSON, a pickle or a list of genes; of an HDF5 file, its list of names."""

    def apply(path: Path, at: int, what: int, mark: Path) -> Effect:
        if path.suffix == ".h5ad":
            return _of_names(path, at, what)
        if path.suffix in (".tsv", ".csv"):
            return _of_lines(path, at, what)
        read, write = FORMATS[path.suffix]
        table = read(path.read_bytes())
        name = list(table)[at % len(table)]
        changed = do(table, name, what, mark)
        strange = isinstance(changed, bytes)
        path.write_bytes(changed if strange else write(changed))
        return "refused" if strange and changed != NO_ENTRIES else "finite"

    TABLES[do.__name__] = apply


def _of_lines(path: Path, at: int, what: int) -> Effect:
    lines = path.read_text().splitlines()
    place = at % len(lines)
    made = ([*lines, "MORE"], lines[:place], [*lines[:place], lines[0], *lines[place:]], [], ["\t"], ["\0" * 9])
    path.write_text("\n".join(made[what % len(made)]))
    return "refused" if path.suffix == ".tsv" else "finite"  # without a line of UCE's table a gene has no place


def _of_names(path: Path, at: int, what: int) -> Effect:
    with h5py.File(path, "r+") as file:
        names = file["var/_index"].asstr()[...].tolist()
        place = at % (len(names) - 1)
        made = (names[:-1], [*names, "MORE"], [*names[:place], names[-1], *names[place + 1 :]], [])
        del file["var/_index"]
        file["var/_index"] = np.array(made[what % 4], dtype=h5py.string_dtype())
    return "refused"


@of_table
def other_value(table: Any, name: str, what: int, mark: Path) -> Any:
    return {**table, name: ODD[what % len(ODD)]}


@of_table
def value_twice(table: Any, name: str, what: int, mark: Path) -> Any:
    return {**table, name: list(table.values())[what % len(table)]}


@of_table
def entry_gone(table: Any, name: str, what: int, mark: Path) -> Any:
    return {each: value for each, value in table.items() if each != name}


@of_table
def entry_more(table: Any, name: str, what: int, mark: Path) -> Any:
    return {**table, ("STRANGER", "", "a\nb", "x" * 5000)[what % 4]: ODD[what % len(ODD)]}


@of_table
def no_table(table: Any, name: str, what: int, mark: Path) -> Any:
    deep = b"[" * 50_000
    made = (b"", b"null", b"[]", b"3", b"\xff\xfe", b'{"a":' * 20_000, deep, b"{", b"\x80\x04N.", NO_ENTRIES)
    return made[what % len(made)]


@of_table
def executing_table(table: Any, name: str, what: int, mark: Path) -> Any:
    harm = Harmful(str(mark))
    made = (harm, {**table, name: harm}, {harm: 1})
    return pickle.dumps(made[what % len(made)])

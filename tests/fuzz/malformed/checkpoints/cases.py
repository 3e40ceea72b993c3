"""Checkpoints with faults in tensors, vocabularies, settings and bytes: the sound one's rows, or a refusal."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from malformed.bytes_changed import changed
from malformed.checkpoints.fault import Effect
from malformed.checkpoints.tables import TABLES
from malformed.checkpoints.tensors import TENSORS
from malformed.checkpoints.tiny_models import FAMILIES, Sound, cells, embedded, sound
from malformed.checkpoints.whole_files import FILES
from malformed.kind import Came, Lost, refusal
from zsgate.errors import UsageProblem
from zsgate.models.embedding import check_rows

CLOSE = 1e-6


@dataclass(frozen=True)
class Case:
    """A checkpoint and its fault.

    Attributes
    ----------
    family
        Of the model.
    fault
        (name, which tensor or entry, what with it); an empty name is none, ``"flip"`` changes bytes.
    file
        Which of its files has the fault, where that is not the one with the tensors.
    """

    family: str
    fault: tuple[str, int, int] = ("", 0, 0)
    file: int = 0


@cache
def cases() -> st.SearchStrategy[Case]:
    """Return checkpoints with one fault each, and now and then none."""
    names = st.one_of(*map(st.sampled_from, (sorted(TENSORS), sorted(TABLES), sorted(FILES), ("flip", "flip", ""))))
    numbers = st.integers(0, 10**6)
    return st.builds(Case, st.sampled_from(FAMILIES), st.tuples(names, numbers, numbers), numbers)


def prepare() -> None:
    """Make every sound checkpoint, which compiles what they run."""
    for family in FAMILIES:
        sound(family)


def check(case: Case, folder: Path) -> Came:
    """Return what came of loading the checkpoint and embedding some cells."""
    made, here = sound(case.family), folder / case.family
    here.mkdir()
    for name, content in made.files.items():
        (here / name).write_bytes(content)
    effect = _spoil(case, made, here, folder / "executed")
    found, said = refusal(lambda: _rows(case.family, here, folder / "cache"))
    if (folder / "executed").exists():
        msg = "code in the file was executed"
        raise Lost(msg)
    if said:
        if effect == "same":
            msg = f"a sound checkpoint is refused: {said}"
            raise Lost(msg)
        if not any(name in said for name in (str(here), case.family, *made.files)):
            msg = f"the sentence does not name the file: {said}"
            raise Lost(msg)
        return Came.REFUSED
    if effect == "refused":
        msg = "a damaged checkpoint is run"
        raise Lost(msg)
    if effect != "finite" and not np.allclose(found, made.rows, rtol=0, atol=CLOSE):
        msg = f"its rows are {np.abs(found - made.rows).max()} from those of the sound one"
        raise Lost(msg)
    return Came.ACCEPTED


def _rows(family: str, here: Path, kept: Path) -> Any:
    """Return rows as a run takes them; what it refuses as the candidate's is a refusal as well."""
    rows = embedded(family, here, kept)
    try:
        return check_rows(rows, source=family, n_cells=cells().n_cells)
    except ValueError as error:
        raise UsageProblem(str(error)) from None


def _spoil(case: Case, made: Sound, here: Path, mark: Path) -> Effect:
    """Apply the fault to the files in a folder, and return what is to come of it."""
    name, at, what = case.fault
    others = [each for each in made.files if each != made.model]
    if name in TENSORS:
        return TENSORS[name](here / made.model, at, what, mark)
    if name in TABLES:
        return TABLES[name](here / others[case.file % len(others)], at, what, mark)
    every = sorted(made.files)
    path = here / every[case.file % len(every)]
    if name == "flip":
        return _flip(path, at)
    apply: Callable[[Path, int], Effect] | None = FILES.get(name)
    return "same" if apply is None else apply(path, what)


def _flip(path: Path, seed: int) -> Effect:
    """Change bytes; a format with checksums tells them, of another one it is read what it then says."""
    content = path.read_bytes()
    path.write_bytes(changed(content, random.Random(seed)))
    return "kept" if content[:2] == b"PK" else "finite"

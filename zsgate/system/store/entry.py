"""Entry: one thing that is kept, the name that it is sealed under, and how its files are written, read and checked.

A value is one sealed JSON file. Arrays are an archive whose sealed header has the key, the notes, and the SHA-256, type
and shape of each array; large arrays lie in files of their own beside it. Whoever reads an entry reads all of it, so
that damage anywhere is noticed before anything is used.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from zsgate.system import arrays
from zsgate.system.files import Damaged, open_sealed, replaced_whole, seal

Array = npt.NDArray[Any]
Arrays = Sequence[Array]
Values = tuple[tuple[Array, ...], dict[str, Any]]  # with notes, JSON-able
T = TypeVar("T")

FORMAT = 2  # of what follows; part of every name, so that what another build wrote in another form is not found
STEM = 40  # hexadecimal digits of a name that its files are called by
NAME = re.compile(rf"[0-9a-f]{{{STEM}}}(\.json|\.npz)")  # of an entry's first file
BESIDE = re.compile(rf"([0-9a-f]{{{STEM}}})\.([0-9]{{1,4}})\.npy")  # of an array beside an archive


@dataclass(frozen=True, slots=True)
class Entry(ABC, Generic[T]):
    """One entry.

    Attributes
    ----------
    path
        Of its first file, in a folder that is called after its kind.
    name
        What it is sealed under, ``kind/sha256``; None takes whatever name fits the path.
    key
        The JSON-able content whose SHA-256 the name has; None where only the name is known.
    about
        What is written beside arrays and decides nothing, such as the name of their dataset.
    """

    path: Path
    name: str | None = None
    key: Mapping[str, object] | None = None
    about: Mapping[str, object] | None = None

    @abstractmethod
    def read(self) -> tuple[str, T]:
        """Return the run that wrote it, and the value, all of which is checked.

        Raises
        ------
        FileNotFoundError
            If there is none.
        Exception
            Of any kind, if it is damaged or another's.
        """

    @abstractmethod
    def write(self, part: Path, run: str, value: T) -> None:
        """Write a value of a run to ``part``, which becomes its path when all is written."""

    def remove(self) -> None:
        """Delete its files as far as that can be done; the first one goes first, for it says that others are there."""
        for path in (self.path, *self.beside()):
            with suppress(OSError):
                path.unlink()

    def beside(self) -> list[Path]:
        """Return the files beside its first one."""
        return []

    def _opened(self, text: str) -> tuple[str, Any]:
        """Return the name under which something was sealed, which must be this entry's, and what was sealed."""
        name, value = open_sealed(text)
        kind, _, digest = name.partition("/")
        fits = (kind, digest[:STEM]) == (self.path.parent.name, self.path.stem)
        if not fits or self.name not in (None, name):
            msg = "it was kept under another name"
            raise Damaged(msg)
        return name, value


class Json(Entry[Any]):
    """A JSON-able value."""

    __slots__ = ()

    def read(self) -> tuple[str, Any]:
        """Return the run that wrote it, and the value."""
        _, kept = self._opened(self.path.read_text(encoding="utf-8"))
        return str(kept["run"]), kept["value"]

    def write(self, part: Path, run: str, value: Any) -> None:
        """Write a value to ``part``."""
        part.write_text(seal(str(self.name), {"run": run, "value": value}), encoding="utf-8")


class Archive(Entry[Values]):
    """Arrays with notes."""

    __slots__ = ()

    def read(self) -> tuple[str, Values]:
        """Return the run that wrote it, the arrays, large ones mapped, and the notes."""
        # opened here, because np.load leaves a damaged file open
        with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            header, found = self._header(archive), []
            for place, told in enumerate(header["arrays"]):
                array = self._mapped(place) if told["large"] else archive[f"arr_{place}"]
                if {**arrays.describe(array), "large": told["large"]} != told:
                    msg = f"array {place} is not the one that was written"
                    raise Damaged(msg)
                found.append(array)
            return header["run"], (tuple(found), header["notes"])

    def write(self, part: Path, run: str, value: Values) -> None:
        """Write an archive to ``part``, and each large array to a file beside the place where the archive will lie."""
        values, notes = value
        large = [arrays.is_large(array.nbytes) for array in values]
        for place in np.flatnonzero(large).tolist():
            with replaced_whole(self._beside(place)) as beside:
                arrays.save(beside, values[place])
        small = [np.empty(0) if is_large else array for is_large, array in zip(large, values, strict=True)]
        told = [{**arrays.describe(array), "large": is_large} for is_large, array in zip(large, values, strict=True)]
        header = {"run": run, "key": self.key, "about": self.about, "notes": notes, "arrays": told}
        np.savez(part, *small, entry=np.array(seal(str(self.name), header)))

    def header(self) -> dict[str, Any]:
        """Return what is said of the arrays without reading them: ``run``, ``key``, ``about``, ``notes``, ``arrays``.

        Raises
        ------
        Exception
            Of any kind, if it is not there, damaged or another's.
        """
        with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return self._header(archive)

    def beside(self) -> list[Path]:
        """Return the files of arrays beside the archive, whether or not it names them."""
        with suppress(OSError):
            found = [(path, BESIDE.fullmatch(path.name)) for path in self.path.parent.iterdir()]
            return sorted(path for path, match in found if match and match[1] == self.path.stem)
        return []

    def _header(self, archive: Any) -> dict[str, Any]:
        name, header = self._opened(str(archive["entry"]))
        if name != name_of(self.path.parent.name, header["key"]):
            msg = "its name is not that of its key"
            raise Damaged(msg)
        return dict(header)

    def _mapped(self, place: int) -> Array:
        try:
            return arrays.load_mapped(self._beside(place))
        except FileNotFoundError:  # for which the entry would count as one that was never made
            msg = f"{self._beside(place).name} is missing"
            raise Damaged(msg) from None

    def _beside(self, place: int) -> Path:
        return self.path.with_suffix(f".{place}.npy")


FORMS: dict[str, type[Entry[Any]]] = {".json": Json, ".npz": Archive}


def name_of(kind: str, key: Mapping[str, object]) -> str:
    """Return the name under which something is sealed: its kind, and the SHA-256 of its key and :data:`FORMAT`."""
    text = f"format {FORMAT}\n{json.dumps(key, sort_keys=True)}"
    return f"{kind}/{hashlib.sha256(text.encode()).hexdigest()}"


def entry_of(
    folder: Path, kind: str, key: Mapping[str, object], suffix: str, about: Mapping[str, object] | None = None
) -> Entry[Any]:
    """Return the entry of a kind and key in a store's folder, be it there or not."""
    name = name_of(kind, key)
    path = folder / kind / f"{name.removeprefix(f'{kind}/')[:STEM]}{suffix}"
    return FORMS[suffix](path, name, key, about)


def entry_at(path: Path) -> Entry[Any]:
    """Return the entry whose first file has this path; nothing is known of its key until it is read."""
    return FORMS[path.suffix](path)

"""Store: what was computed once, kept under a key made of everything that decides it.

A key holds digests of content (data, weights, settings, the source of the code that computes), so nothing ever has to
be marked as out of date: other content is another key. Files appear by an atomic rename under a lock, so pytest-xdist
workers and CI jobs share a folder, and each value is computed once. Large arrays lie in files of their own beside the
rest and are mapped into memory, not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from zsgate.system import arrays
from zsgate.system.files import replaced_whole

Array = npt.NDArray[Any]
Arrays = Sequence[Array]
Notes = dict[str, Any]  # JSON-able
T = TypeVar("T")
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)  # what reading half a file raises


@dataclass(frozen=True)
class Store:
    """A folder of computed values.

    Parameters
    ----------
    folder
        Where they lie; made when the first one is written.
    """

    folder: Path

    def json(self, kind: str, key: Mapping[str, object], compute: Callable[[], Any]) -> Any:
        """Return the value kept under ``key``; the first time, compute and keep it.

        Parameters
        ----------
        kind
            What it is, such as ``"score"`` or ``"partition"``; names a sub-folder.
        key
            JSON-able content that decides the value.
        compute
            Called when nothing is kept yet; returns the JSON-able value.
        """

        def write(path: Path) -> None:
            path.write_text(json.dumps(compute()), encoding="utf-8")

        def read(path: Path) -> Any:
            return json.loads(path.read_text(encoding="utf-8"))

        return self._cached(self._path(kind, key, ".json"), read, write)

    def arrays(
        self, kind: str, key: Mapping[str, object], compute: Callable[[], tuple[Arrays, Mapping[str, object]]]
    ) -> tuple[tuple[Array, ...], Notes]:
        """Return (arrays, notes) kept under ``key``; the first time, compute and keep them.

        Parameters
        ----------
        kind
            What they are; names a sub-folder.
        key
            JSON-able content that decides the value.
        compute
            Called when nothing is kept yet; returns the arrays and JSON-able notes on how they were made.

        Returns
        -------
        The arrays with their types and shapes, large ones mapped and read-only, and the notes.

        Raises
        ------
        TypeError
            If an array holds Python objects.
        """
        final = self._path(kind, key, ".npz")

        def write(path: Path) -> None:
            values, notes = compute()
            if any(value.dtype.hasobject for value in values):
                msg = f"{kind}: arrays of objects are not kept"
                raise TypeError(msg)
            _write_arrays(path, final, values, notes)

        return self._cached(final, _read_arrays, write)

    def has(self, kind: str, key: Mapping[str, object], suffix: str = ".npz") -> bool:
        """Return whether something is kept under ``key``: arrays, or JSON with ``suffix=".json"``."""
        return self._path(kind, key, suffix).is_file()

    def clear(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, kind: str, key: Mapping[str, object], suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self.folder / kind / f"{digest[:40]}{suffix}"

    def _cached(self, path: Path, read: Callable[[Path], T], write: Callable[[Path], None]) -> T:
        """Return what ``path`` holds; if it is missing or damaged, one process writes it and others wait."""
        from filelock import FileLock

        with suppress(*DAMAGED):
            return _read_and_note_use(path, read)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock")
        with FileLock(lock):
            try:
                with suppress(*DAMAGED):
                    return _read_and_note_use(path, read)
                with replaced_whole(path) as part:
                    write(part)
                return read(path)
            finally:  # locks need not stay: whoever gets the next one looks for the file first
                with suppress(OSError):
                    lock.unlink()


def _read_and_note_use(path: Path, read: Callable[[Path], T]) -> T:
    """Read a file and set its time, so that ``zsgate cache`` knows when it was last used."""
    value = read(path)
    with suppress(OSError):  # a folder that is not ours to write to
        os.utime(path)
    return value


def _write_arrays(path: Path, final: Path, values: Arrays, notes: Mapping[str, object]) -> None:
    """Write an archive to ``path``, and each large array to a file beside ``final``, where the archive will lie."""
    check_sums = {}
    for place, value in enumerate(values):
        if arrays.is_large(value.nbytes):
            target = _beside(final, place)
            with replaced_whole(target) as part:
                np.save(part, value)
            check_sums[place] = _check_sum(_mapped(target))
    small = [np.empty(0) if place in check_sums else value for place, value in enumerate(values)]
    np.savez(path, *small, notes=np.array(json.dumps(dict(notes))), large=np.array(json.dumps(check_sums)))


def _read_arrays(path: Path) -> tuple[tuple[Array, ...], Notes]:
    # opened here, because np.load leaves a damaged file open
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        names = [name for name in archive.files if name.startswith("arr_")]
        found = {int(name[4:]): archive[name] for name in names}
        for place, check_sum in json.loads(str(archive["large"])).items():
            found[int(place)] = _mapped(_beside(path, int(place)))
            if _check_sum(found[int(place)]) != check_sum:
                msg = f"{_beside(path, int(place))} is damaged"
                raise ValueError(msg)
        return tuple(found[place] for place in range(len(found))), json.loads(str(archive["notes"]))


def _beside(path: Path, place: int) -> Path:
    return path.with_suffix(f".{place}.npy")


def _mapped(path: Path) -> Array:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _check_sum(array: Array) -> int:
    """Return the CRC-32, which an archive has of each array in it, and a file of one array has not."""
    return zlib.crc32(np.ascontiguousarray(array).data)

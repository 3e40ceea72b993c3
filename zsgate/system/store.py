"""Store: what was computed once, kept under a key made of everything that decides it.

A key holds content digests (data, weights, settings, the source of the code that computes), so nothing is ever
invalidated: other content is another key. Files appear by an atomic rename under a lock, so xdist workers and CI
jobs share a folder and compute each artefact once. Large arrays lie in files of their own beside the rest and are
mapped, not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from zsgate.system import arrays as spill

Arrays = Sequence[npt.NDArray[Any]]
T = TypeVar("T")
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)  # what reading half a file raises


@dataclass(frozen=True)
class Store:
    """A folder of artefacts.

    Parameters
    ----------
    folder
        Where they lie; made when the first one is written.
    """

    folder: Path

    def json(self, kind: str, key: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """Return the builtins kept under ``key``, computing and keeping them the first time.

        Parameters
        ----------
        kind
            What it is: ``"score"``, ``"partition"``; names a sub-folder.
        key
            JSON-able content that decides the value.
        compute
            Called when nothing is kept yet.
        """

        def write(path: Path) -> None:
            path.write_text(json.dumps(compute()), encoding="utf-8")

        def read(path: Path) -> Any:
            return json.loads(path.read_text(encoding="utf-8"))

        return self._kept(self._path(kind, key, ".json"), read, write)

    def arrays(
        self, kind: str, key: Mapping[str, Any], compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> tuple[tuple[npt.NDArray[Any], ...], dict[str, Any]]:
        """Return (arrays, notes) kept under ``key``, computing and keeping them the first time; large ones read-only.

        Parameters
        ----------
        kind
            What they are; names a sub-folder.
        key
            JSON-able content that decides the value.
        compute
            Returns the arrays and JSON-able notes about how they were made.
        """
        final = self._path(kind, key, ".npz")

        def write(path: Path) -> None:
            values, notes = compute()
            if any(value.dtype.hasobject for value in values):
                msg = f"{kind}: arrays of objects are not kept"
                raise TypeError(msg)
            _write_arrays(path, final, values, notes)

        return self._kept(final, _read_arrays, write)

    def has(self, kind: str, key: Mapping[str, Any], suffix: str = ".npz") -> bool:
        """Return whether something is kept under ``key``."""
        return self._path(kind, key, suffix).is_file()

    def clear(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, kind: str, key: Mapping[str, Any], suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self.folder / kind / f"{digest[:40]}{suffix}"

    def _kept(self, path: Path, read: Callable[[Path], T], write: Callable[[Path], None]) -> T:
        """Return what ``path`` holds; if it is missing or damaged, one process writes it and others wait."""
        from filelock import FileLock

        with suppress(*DAMAGED):
            return _used(path, read)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock")
        with FileLock(lock):
            try:
                with suppress(*DAMAGED):
                    return _used(path, read)
                write_atomically(path, write)
                return read(path)
            finally:  # locks need not stay: whoever gets the next one looks for the file first
                with suppress(OSError):
                    lock.unlink()


def _used(path: Path, read: Callable[[Path], T]) -> T:
    """Read what is there and note on the file when that was, for whoever cleans up."""
    value = read(path)
    with suppress(OSError):  # a folder that is not ours to write to
        os.utime(path)
    return value


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` with the path of a file that becomes ``path`` once it is written."""
    part = path.with_name(f".part-{uuid.uuid4().hex}{path.suffix}")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_arrays(path: Path, final: Path, values: Arrays, notes: Mapping[str, Any]) -> None:
    """Write an archive to ``path``, and each large array to a file beside ``final``, where the archive will lie."""
    large = {}
    for place, value in enumerate(values):
        if spill.is_large(value.nbytes):
            write_atomically(_beside(final, place), partial(np.save, arr=value))
            large[place] = _check_sum(_mapped(_beside(final, place)))
    held = [np.empty(0) if place in large else value for place, value in enumerate(values)]
    np.savez(path, *held, notes=np.array(json.dumps(dict(notes))), large=np.array(json.dumps(large)))


def _read_arrays(path: Path) -> tuple[tuple[npt.NDArray[Any], ...], dict[str, Any]]:
    # opened here, because np.load leaves a damaged file open
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        names = [name for name in archive.files if name.startswith("arr_")]
        arrays = {int(name[4:]): archive[name] for name in names}
        for place, known in json.loads(str(archive["large"])).items():
            arrays[int(place)] = _mapped(_beside(path, int(place)))
            if _check_sum(arrays[int(place)]) != known:
                msg = f"{_beside(path, int(place))} is damaged"
                raise ValueError(msg)
        return tuple(arrays[place] for place in range(len(arrays))), json.loads(str(archive["notes"]))


def _beside(path: Path, place: int) -> Path:
    return path.with_suffix(f".{place}.npy")


def _mapped(path: Path) -> npt.NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _check_sum(array: npt.NDArray[Any]) -> int:
    """Return the CRC-32, as an archive has one of each array in it."""
    return zlib.crc32(np.ascontiguousarray(array).data)

"""Store: what was computed once, kept under a key made of everything that decides it.

A key holds content digests (data, weights, settings, the source of the code that computes), so nothing is ever
invalidated: other content is another key. Files appear by an atomic rename under a lock, so xdist workers and CI
jobs share a folder and compute each artefact once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Sequence[npt.NDArray[Any]]


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

        path = self._made(kind, key, ".json", write)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # damaged from outside: compute anew
            path.unlink()
            return json.loads(self._made(kind, key, ".json", write).read_text(encoding="utf-8"))

    def arrays(
        self, kind: str, key: Mapping[str, Any], compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> tuple[tuple[npt.NDArray[Any], ...], dict[str, Any]]:
        """Return (arrays, notes) kept under ``key``, computing and keeping them the first time.

        Parameters
        ----------
        kind
            What they are; names a sub-folder.
        key
            JSON-able content that decides the value.
        compute
            Returns the arrays and JSON-able notes about how they were made.
        """

        def write(path: Path) -> None:
            values, notes = compute()
            named = {f"a{i}": value for i, value in enumerate(values)}
            with path.open("wb") as stream:
                np.savez(stream, allow_pickle=False, notes=np.array(json.dumps(dict(notes))), **named)

        path = self._made(kind, key, ".npz", write)
        try:
            return _read(path)
        except (ValueError, KeyError, OSError, zipfile.BadZipFile):  # damaged from outside: compute anew
            path.unlink(missing_ok=True)
            return _read(self._made(kind, key, ".npz", write))

    def has(self, kind: str, key: Mapping[str, Any], suffix: str = ".npz") -> bool:
        """Return whether something is kept under ``key``."""
        return self._path(kind, key, suffix).is_file()

    def clear(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, kind: str, key: Mapping[str, Any], suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self.folder / kind / f"{digest[:40]}{suffix}"

    def _made(self, kind: str, key: Mapping[str, Any], suffix: str, write: Callable[[Path], None]) -> Path:
        path = self._path(kind, key, suffix)
        if path.is_file():
            return path
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.is_file():
                _write_atomically(path, write)
        return path


def _write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
    os.close(handle)
    try:
        write(Path(name))
        Path(name).replace(path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _read(path: Path) -> tuple[tuple[npt.NDArray[Any], ...], dict[str, Any]]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = tuple(archive[f"a{i}"] for i in range(len(archive.files) - 1))
        return arrays, json.loads(str(archive["notes"]))


@cache
def source_digest(*files: str) -> str:
    """Return a digest of source files: code that changes never finds what older code kept."""
    sha = hashlib.sha256()
    for name in files:
        sha.update(Path(name).read_bytes())
    return sha.hexdigest()[:16]


@cache
def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of ``packages`` without importing them; ``"absent"`` where missing."""

    def find(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "absent"

    return {package: find(package) for package in packages}

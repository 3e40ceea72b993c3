"""Store: what was computed once, kept under a key made of everything that decides it.

A key holds digests of content (data, weights, settings, the source of the code that computes), so nothing ever has to
be marked as out of date: other content is another key. Files appear by an atomic rename under a lock, so pytest-xdist
workers and CI jobs share a folder, and each value is computed once. Large arrays lie in files of their own beside the
rest and are mapped into memory, not read.

Every entry carries the digest of its key and content, arrays their shapes and types too, and all are checked when it is
read: that tells damage, and an entry copied under another name. It does not tell a forgery, for whoever can write to
the folder can compute a digest. Against that only the folder's owner and mode help, which
:func:`zsgate.system.cache.prepare` looks at, and a fresh store, which reads nothing that an earlier run left.

A store that cannot be read, locked or written to says so once; what it is asked for is computed and not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from zsgate.errors import MachineFailed
from zsgate.system import arrays
from zsgate.system.files import locked, replaced_whole, seal, unseal, why

Array = npt.NDArray[Any]
Arrays = Sequence[Array]
Values = tuple[tuple[Array, ...], dict[str, Any]]  # with notes, JSON-able
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    """One entry: where it lies, under which name it is sealed, and how it is read and written."""

    path: Path
    name: str
    read: Callable[[_Entry[T]], tuple[str, T]]  # the run that wrote it, and the value
    write: Callable[[_Entry[T], Path, str, T], None]  # to a path, of a run, a value


@dataclass(frozen=True)
class Store:
    """A folder of computed values.

    Parameters
    ----------
    folder
        Where they lie; made when the first one is written.
    run
        Identity of the run, which each entry that it writes carries.
    fresh
        Read nothing but what this run wrote, whichever of its processes did.

    Attributes
    ----------
    said
        What went wrong with the folder, in sentences; each was written to standard error as well.
    """

    makes_nothing: ClassVar[bool] = False  # whether it only gives what is kept
    folder: Path
    run: str = ""
    fresh: bool = False
    said: list[str] = field(default_factory=list, init=False, compare=False, repr=False)

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

        Returns
        -------
        The value as JSON has it, whether it was kept before, is kept now or cannot be kept: tuples are lists.
        """
        return self._cached(self._entry(kind, key, ".json"), lambda: json.loads(json.dumps(compute())))

    def arrays(
        self, kind: str, key: Mapping[str, object], compute: Callable[[], tuple[Arrays, Mapping[str, object]]]
    ) -> Values:
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

        def made() -> Values:
            values, notes = compute()
            if any(value.dtype.hasobject for value in values):
                msg = f"{kind}: arrays of objects are not kept"
                raise TypeError(msg)
            return tuple(values), json.loads(json.dumps(dict(notes)))

        found: Values = self._cached(self._entry(kind, key, ".npz"), made)
        return found

    def has(self, kind: str, key: Mapping[str, object], suffix: str = ".npz") -> bool:
        """Return whether something is kept under ``key``: arrays, or JSON with ``suffix=".json"``."""
        entry = self._entry(kind, key, suffix)
        if self.fresh:
            return self._find(entry) is not None
        with suppress(OSError):
            return entry.path.is_file()
        return False

    def discard(self, kind: str, key: Mapping[str, object], suffix: str = ".npz") -> None:
        """Delete what is kept under ``key`` with the arrays beside it; what is absent or cannot be deleted is let be.

        What was mapped into memory stays readable. An archive goes first: it says that the arrays beside it are there.

        Parameters
        ----------
        kind, key
            As they were given when it was kept.
        suffix
            ``".npz"`` for arrays, ``".json"`` for a value.
        """
        path = self._entry(kind, key, suffix).path
        _remove(path)
        if suffix == ".npz":
            _remove_beside(path)

    def clear(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _entry(self, kind: str, key: Mapping[str, object], suffix: str) -> _Entry[Any]:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        path, name = self.folder / kind / f"{digest[:40]}{suffix}", f"{kind}/{digest}"
        if suffix == ".json":
            return _Entry(path, name, _read_json, _write_json)
        return _Entry(path, name, _read_arrays, _write_arrays)

    def _cached(self, entry: _Entry[T], compute: Callable[[], T]) -> T:
        """Return an entry's value; if it is missing or damaged, one process computes it and others wait."""
        if found := self._find(entry):
            return found[0]
        with ExitStack() as held:
            is_held = self._lock(entry.path.with_suffix(".lock"), held)
            if is_held and (found := self._find(entry)):
                return found[0]
            value = compute()
            if is_held and self._write(entry, value) and (found := self._find(entry)):
                return found[0]
            return value

    def _find(self, entry: _Entry[T]) -> tuple[T] | None:
        """Return the value of an entry; None if there is none, or none that can be believed, which is said."""
        try:
            run, value = entry.read(entry)
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # what the lock says more of
            return None
        except Exception as error:  # the boundary to files: what was done to one makes reading it fail in any way
            self._say(f"{entry.path} is not used, for it is damaged or not zsgate's ({why(error)}): it is made again")
            return None
        if self.fresh and run != self.run:
            return None
        with suppress(OSError):  # when it was last used, for `zsgate cache`; the folder may not be ours to write to
            os.utime(entry.path)
        return (value,)

    def _lock(self, path: Path, held: ExitStack) -> bool:
        """Hold a lock until ``held`` is left, and return whether that can be done."""
        try:
            held.enter_context(locked(path))
        except MachineFailed as error:
            self._say(f"{error}; what is computed is not kept")
            _remove(path)
            return False
        held.callback(_remove, path)  # locks need not stay: whoever gets the next one looks for the entry first
        return True

    def _write(self, entry: _Entry[T], value: T) -> bool:
        """Write an entry, and return whether that could be done; nothing of one that cannot be written stays."""
        try:
            with replaced_whole(entry.path) as part:
                entry.write(entry, part, self.run, value)
        except OSError as error:
            _remove_beside(entry.path)
            where = f"{entry.path.parent} cannot be written to ({why(error)})"
            self._say(f"{where}; --cache DIR or ZSGATE_CACHE names another; what is computed is not kept")
            return False
        return True

    def _say(self, words: str) -> None:
        """Write a sentence to standard error, once."""
        if words not in self.said:
            self.said.append(words)
            sys.stderr.write(f"zsgate: {words}\n")


def _read_json(entry: _Entry[Any]) -> tuple[str, Any]:
    kept = unseal(entry.name, entry.path.read_text(encoding="utf-8"))
    return str(kept["run"]), kept["value"]


def _write_json(entry: _Entry[Any], path: Path, run: str, value: Any) -> None:
    path.write_text(seal(entry.name, {"run": run, "value": value}), encoding="utf-8")


def _write_arrays(entry: _Entry[Values], path: Path, run: str, value: Values) -> None:
    """Write an archive to ``path``, and each large array to a file beside the place where the archive will lie."""
    values, notes = value
    large = [arrays.is_large(array.nbytes) for array in values]
    for place in np.flatnonzero(large).tolist():
        with replaced_whole(_beside(entry.path, place)) as part:
            np.save(part, values[place])
    small = [np.empty(0) if is_large else array for is_large, array in zip(large, values, strict=True)]
    header = [{**arrays.describe(array), "large": is_large} for is_large, array in zip(large, values, strict=True)]
    sealed = seal(entry.name, {"run": run, "notes": notes, "arrays": header})
    np.savez(path, *small, entry=np.array(sealed))


def _read_arrays(entry: _Entry[Values]) -> tuple[str, Values]:
    # opened here, because np.load leaves a damaged file open
    with entry.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        header = unseal(entry.name, str(archive["entry"]))
        found = []
        for place, told in enumerate(header["arrays"]):
            array = arrays.load_mapped(_beside(entry.path, place)) if told["large"] else archive[f"arr_{place}"]
            if {**arrays.describe(array), "large": told["large"]} != told:
                msg = f"array {place} is not the one that was written"
                raise ValueError(msg)
            found.append(array)
        return header["run"], (tuple(found), header["notes"])


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _remove_beside(path: Path) -> None:
    """Remove the arrays beside an archive."""
    with suppress(OSError):
        for place in list(path.parent.glob(f"{path.stem}.*.npy")):
            _remove(place)


def _beside(path: Path, place: int) -> Path:
    return path.with_suffix(f".{place}.npy")

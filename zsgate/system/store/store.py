"""Store: what was computed once, kept under a key made of everything that decides it.

A key holds digests of content (data, weights, settings, the source of the code that computes), so nothing ever has to
be marked as out of date: other content is another key. Files appear by an atomic rename under a lock, so pytest-xdist
workers and CI jobs share a folder, and each value is computed once. Large arrays lie in files of their own beside the
rest and are mapped into memory, not read.

Every entry carries its name, which is a digest of its key, and the SHA-256 of its content, of each array too, and all
are checked when it is read: that tells damage, and an entry copied under another name. It does not tell a forgery, for
whoever can write to the folder can compute a digest. Against that only the folder's owner and mode help, which
:func:`zsgate.system.cache.prepare` looks at, and a fresh store, which reads nothing that an earlier run left.

A store that cannot be read, locked or written to says so once; what it is asked for is computed and not kept.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from zsgate.errors import MachineFailed
from zsgate.system.files import fault_of, locked, replaced_whole, why
from zsgate.system.store.entry import Arrays, Entry, Values, entry_of

T = TypeVar("T")


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
        self,
        kind: str,
        key: Mapping[str, object],
        compute: Callable[[], tuple[Arrays, Mapping[str, object]]],
        about: Mapping[str, object] | None = None,
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
        about
            JSON-able content that is written beside them and decides nothing: what `zsgate cache export` goes by.

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

        found: Values = self._cached(entry_of(self.folder, kind, key, ".npz", about), made)
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
        self._entry(kind, key, suffix).remove()

    def clear(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _entry(self, kind: str, key: Mapping[str, object], suffix: str) -> Entry[Any]:
        return entry_of(self.folder, kind, key, suffix)

    def _cached(self, entry: Entry[T], compute: Callable[[], T]) -> T:
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

    def _find(self, entry: Entry[T]) -> tuple[T] | None:
        """Return the value of an entry; None if there is none, or none that can be believed, which is said."""
        try:
            run, value = entry.read()
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # what the lock says more of
            return None
        except Exception as error:  # the boundary to files: what was done to one makes reading it fail in any way
            self.say(
                f"{entry.path} is not used, for it is damaged or not zsgate's ({fault_of(error)}): it is made again"
            )
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
            self.say(f"{error}; what is computed is not kept")
            _remove(path)
            return False
        held.callback(_remove, path)  # locks need not stay: whoever gets the next one looks for the entry first
        return True

    def _write(self, entry: Entry[T], value: T) -> bool:
        """Write an entry, and return whether that could be done; nothing of one that cannot be written stays."""
        try:
            with replaced_whole(entry.path) as part:
                entry.write(part, self.run, value)
        except OSError as error:
            if entry.beside():  # an archive that was there has lost its arrays
                entry.remove()
            where = f"{entry.path.parent} cannot be written to ({why(error)})"
            self.say(f"{where}; --cache DIR or ZSGATE_CACHE names another; what is computed is not kept")
            return False
        return True

    def say(self, words: str) -> None:
        """Write a sentence to standard error, once."""
        if words not in self.said:
            self.said.append(words)
            sys.stderr.write(f"zsgate: {words}\n")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()

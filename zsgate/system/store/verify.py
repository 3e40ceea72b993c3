"""Verify: whether what lies in a store's folder is what was written, each entry read and checked without its key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from zsgate.system.files import Earlier, fault_of
from zsgate.system.store.entry import BESIDE, NAME, entry_at


class State(StrEnum):
    """What a file or folder in the cache was found to be, as the sum of such files is called."""

    SOUND = "checked"
    DAMAGED = "damaged"
    EARLIER = "of an earlier version, never read"
    UNFINISHED = "left unfinished, or being written"
    FOREIGN = "not zsgate's"
    UNKNOWN = "that cannot be checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in the cache folder.

    Attributes
    ----------
    paths
        Its files, the first of which names it.
    state
        What it is.
    fault
        What is wrong with it, in words.
    """

    paths: tuple[Path, ...]
    state: State
    fault: str = ""


def verify_folder(folder: Path) -> Iterator[Finding]:
    """Yield what each file in the folder of one kind is; nothing is changed, and locks are not told.

    Parameters
    ----------
    folder
        A sub-folder of a store's, be it there or not.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    heads = {path.stem for path in paths if path.suffix == ".npz"}
    for path in paths:
        beside = BESIDE.fullmatch(path.name)
        if path.suffix == ".lock" or (beside and beside[1] in heads):
            continue
        if NAME.fullmatch(path.name) and not path.is_dir():
            yield from _verified(path)
        else:
            mere_part = beside or path.name.startswith(".part-")
            yield Finding((path,), State.UNFINISHED if mere_part else State.FOREIGN)


def _verified(path: Path) -> Iterator[Finding]:
    """Yield what an entry is; nothing of one that is gone meanwhile."""
    entry = entry_at(path)
    try:
        entry.read()
    except FileNotFoundError:
        if path.is_symlink():
            yield Finding((path,), State.DAMAGED, "it is a link to nothing")
    except PermissionError as error:
        yield Finding((path,), State.UNKNOWN, fault_of(error))
    except Earlier:
        yield Finding((path, *entry.beside()), State.EARLIER)
    except Exception as error:  # the boundary to files: what was done to one makes reading it fail in any way
        yield Finding((path, *entry.beside()), State.DAMAGED, fault_of(error))
    else:
        yield Finding((path, *entry.beside()), State.SOUND)


def remove(finding: Finding) -> bool:
    """Remove the files of an entry that is still damaged, and return whether they are gone.

    A run may have put a sound one in its place meanwhile, which stays.
    """
    head, *_ = finding.paths
    again = next(_verified(head), None) if NAME.fullmatch(head.name) else finding
    if again is None or again.state is not State.DAMAGED:
        return again is None
    for path in again.paths:
        with suppress(OSError):
            path.unlink()
    return not any(path.exists() or path.is_symlink() for path in again.paths)

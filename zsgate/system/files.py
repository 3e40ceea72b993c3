"""Files: written so that nobody ever sees half of one, sealed with a digest, locked, and ours alone or not."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zsgate.errors import MachineFailed
from zsgate.system.progress import waiting

OTHERS = stat.S_IWGRP | stat.S_IWOTH  # who may write, beside the owner


EARLIER = "an earlier version of zsgate wrote it"


class Damaged(ValueError):
    """A file does not hold what was written to it, in words."""


class Earlier(Damaged):
    """A file is of an earlier version of zsgate, whose seals had no name."""


@contextmanager
def replaced_whole(path: Path) -> Iterator[Path]:
    """Yield where to write a file or folder; it becomes ``path`` when the with statement ends without an error.

    A reader sees what was there before or the whole new content, also when this process is killed. After an error
    nothing of the new content is left, and ``path`` is as it was. Others can write to it only where they can write to
    its folder, whatever the account's umask says.

    Parameters
    ----------
    path
        Where the content belongs. A file that is there is replaced, a folder must not be there. The place that is
        yielded has the same suffix, lies in the same folder, which must exist, and begins with ``.part-``.
    """
    part = path.with_name(f".part-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield part
        if not _open_to_others(path.parent):
            for made in (part, *part.rglob("*")):
                made.chmod(made.stat().st_mode & ~OTHERS)
        part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file, waiting(f"{path.name}: computing its sha256"):
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(name: str, value: Any) -> str:
    """Return a JSON-able value as text with its name, and the SHA-256 of both.

    The digest tells damage, and a value that was put under another's name. It does not tell who wrote the value:
    whoever can write to the folder can compute a digest as well.
    """
    return json.dumps({"name": name, "sha256": _digest(name, value), "value": value})


def unseal(name: str, text: str) -> Any:
    """Return the value that :func:`seal` made text of.

    Raises
    ------
    Damaged
        If the text is not what was sealed under this name.
    """
    found, value = open_sealed(text)
    if found != name:
        msg = "it was kept under another name"
        raise Damaged(msg)
    return value


def open_sealed(text: str) -> tuple[str, Any]:
    """Return the name and the value that :func:`seal` made text of.

    Raises
    ------
    Damaged
        If the text is not what was sealed.
    """
    try:
        kept = json.loads(text)
    except (ValueError, RecursionError):
        kept = None
    if isinstance(kept, dict) and kept.keys() == {"sha256", "value"}:
        raise Earlier(EARLIER)
    if not isinstance(kept, dict) or kept.keys() != {"name", "sha256", "value"} or not isinstance(kept["name"], str):
        msg = "it is not what zsgate writes"
        raise Damaged(msg)
    if kept["sha256"] != _digest(kept["name"], kept["value"]):
        msg = "its digest is not that of its content"
        raise Damaged(msg)
    return kept["name"], kept["value"]


def _digest(name: str, value: Any) -> str:
    return hashlib.sha256(f"{name}\n{json.dumps(value)}".encode()).hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock ``path``, whose folder is made if need be; others wait.

    Raises
    ------
    MachineFailed
        If the folder cannot be made, or nothing in it can be locked; the sentence names it.
    """
    try:
        make_folder(path.parent)
        lock = _lock_at(path)
        lock.acquire()
    except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
        msg = f"{path.parent} cannot be written to or locked ({why(error)}); --cache DIR or ZSGATE_CACHE names another"
        raise MachineFailed(msg) from error
    try:
        yield
    finally:
        lock.release()


def _lock_at(path: Path) -> Any:
    """Return a lock of the system's, which ends with the process that holds it.

    Where there is none, newer versions of filelock take a file that is there for a lock that is held, which outlives a
    run that is killed, and for which the next would wait without end.
    """
    from filelock import FileLock

    try:
        return FileLock(path, fallback_to_soft=False)
    except TypeError:  # an older version, which refuses by itself
        return FileLock(path)


def dead_link(path: Path) -> str:
    """Return in words which link on the way to a path leads nowhere; empty if none does."""
    for place in (path, *path.parents):
        if place.is_symlink() and not place.exists():
            return f"{place} is a link to {place.readlink()}, which is not there"
    return ""


def make_folder(path: Path) -> None:
    """Make a folder and those above it; others can write to each as far as they can to the one that it lies in.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    if words := dead_link(path):
        raise FileNotFoundError(errno.ENOENT, words)
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o755 | _open_to_others(place.parent), exist_ok=True)


def others_who_write(folder: Path) -> str:
    """Return in words who else can write to a folder; empty if its owner is this account or root, and nobody else can.

    A group counts as somebody else unless it is the account's own: of the same name, without other members.
    Where the system knows no accounts, such as on Windows, nothing is said.
    """
    if not hasattr(os, "getuid"):
        return ""
    status = folder.stat()
    if status.st_uid not in (os.getuid(), 0):
        return f"it belongs to another account ({_name_of(status.st_uid)})"
    if status.st_mode & stat.S_IWOTH:
        return "everybody can write to it"
    if status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid):
        return f"its group ({status.st_gid}) can write to it"
    return ""


def fault_of(error: Exception) -> str:
    """Return what reading a file that may be damaged says, without the words of whoever stumbled over it."""
    return why(error) if isinstance(error, OSError | Damaged) else "it cannot be read as what was written"


def why(error: BaseException) -> str:
    """Return what an error of the system says, without the path that stands beside it anyway."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _open_to_others(folder: Path) -> int:
    """Return the bits of a folder's mode that let others write to it."""
    return folder.stat().st_mode & OTHERS


def _name_of(account: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(account).pw_name
    except KeyError:
        return str(account)


def _is_own_group(group: int) -> bool:
    """Return whether a group is that of this account alone, which many Linux systems give to every user."""
    import grp
    import pwd

    try:
        own, found = pwd.getpwuid(os.getuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return group == own.pw_gid and found.gr_name == own.pw_name and not set(found.gr_mem) - {own.pw_name}

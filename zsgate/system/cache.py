"""Cache: where its folder is, whether it can be used and trusted, what lies in it, and freeing that room."""

from __future__ import annotations

import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from zsgate.errors import UsageProblem
from zsgate.system.files import dead_link, others_who_write, why

# folders of each kind; in them, files of one name are one entry, and so is a folder
FOLDERS = {
    "counts": ("prepared",),
    "cells": ("cells",),
    "embeddings": ("embedding", "learnt", "part"),
    "scores": ("score", "form", "proof", "said", "map", "pass"),
    "reconstructions": ("reconstruction",),
    "dictionaries": ("dictionaries",),
    "imports": ("imported/embedding", "imported/proof"),
    "kernels": ("kernels",),
    "runs": ("runs",),
    "downloads": ("datasets", "weights"),
    "environments": ("envs",),
}
ABOUT = {
    "counts": "copies of counts too large for memory",
    "cells": "of small datasets, as they were read",
    "embeddings": "of models and baselines, what baselines learnt for them, and parts of those that are not whole yet",
    "scores": "of embeddings, the distances behind them, what was checked of models, and pictures",
    "reconstructions": "what is left of models' predictions",
    "dictionaries": "gene dictionaries, read from pickles once",
    "imports": "embeddings from elsewhere, until a run has proven them",
    "kernels": "compiled loops, where nobody can write beside the package",
    "runs": "left behind by runs that were killed",
    "downloads": "datasets and weights; they would have to be fetched again",
    "environments": "of models that need one of their own; they would have to be made again",
}
MADE = tuple(kind for kind in FOLDERS if kind not in ("downloads", "environments"))  # all of it can be computed again
DAY = 86_400


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What is freed together: some files of one name, or a folder.

    Attributes
    ----------
    kind
        A key of :data:`FOLDERS`.
    paths
        The files or the folder that it is.
    n_bytes
        Room it takes.
    used
        When it was last read or written, seconds since the epoch; of downloads, when they were fetched.
    """

    kind: str
    paths: tuple[Path, ...]
    n_bytes: int
    used: float

    def idle(self, days: float) -> bool:
        """Return whether nobody has used it for so many days."""
        return time.time() - self.used > days * DAY


def find_folder(given: Path | None = None) -> Path:
    """Return the cache folder: the one given, else the platform's.

    Raises
    ------
    UsageProblem
        If none is given and the account has no home folder to keep anything in.
    """
    from platformdirs import user_cache_path

    if given is not None:
        return given
    with suppress(RuntimeError):  # of a home folder that cannot be known
        if (usual := user_cache_path("zsgate")).is_absolute():
            return usual
    msg = (
        "nothing can be kept: HOME is not set and this account has no home folder; --cache DIR or ZSGATE_CACHE names "
        "a folder"
    )
    raise UsageProblem(msg)


def prepare(root: Path, *, shared: bool = False) -> None:
    """Make the cache folder, and refuse one that cannot be used or, unless it is ``shared``, trusted.

    Parameters
    ----------
    root
        The folder. One that is made is the account's alone, whatever its umask says.
    shared
        Whether the user trusts whoever else can write to it.

    Raises
    ------
    UsageProblem
        If it cannot be written to, or others can write to it or to a folder in it.
    """
    refuse_what_is_no_folder(root)
    try:
        if not root.exists():
            root.mkdir(mode=0o777 if shared else 0o755, parents=True, exist_ok=True)
        TemporaryFile(dir=root).close()
        inside = [place for names in FOLDERS.values() for name in names if (place := root / name).is_dir()]
        strange = [] if shared else [(place, said) for place in (root, *inside) if (said := others_who_write(place))]
    except OSError as error:
        msg = f"--cache {root}: cannot write there ({why(error)}); --cache DIR or ZSGATE_CACHE names another folder"
        raise UsageProblem(msg) from None
    for place, said in strange:
        msg = (
            f"--cache {place}: {said}, and who can write there can change scores. Make it yours alone (chmod go-w), "
            "name another folder with --cache DIR or ZSGATE_CACHE, or say --cache-shared if you trust them"
        )
        raise UsageProblem(msg)


def refuse_what_is_no_folder(root: Path) -> None:
    """Refuse a path at which there is something else, or on the way to which a link leads nowhere.

    Raises
    ------
    UsageProblem
        If it is so.
    """
    words = ""
    with suppress(OSError):  # what cannot even be looked at cannot be written to, which is said then
        words = dead_link(root) or ("it is no folder" if root.exists() and not root.is_dir() else "")
    if words:
        msg = f"--cache {root}: {words}; --cache DIR or ZSGATE_CACHE names another folder"
        raise UsageProblem(msg)


def contents(root: Path) -> list[CacheEntry]:
    """Return every entry of the cache folder ``root``, kind by kind; locks are not listed and never removed."""
    found = []
    for kind, folders in FOLDERS.items():
        for folder in folders:
            found += [_entry(kind, paths) for paths in _grouped(root / folder)]
    return found


def forget_made(root: Path) -> None:
    """Remove what a fresh run may not read and no :class:`~zsgate.system.store.Store` keeps: copies, compiled loops."""
    remove(entry for entry in contents(root) if entry.kind in ("counts", "dictionaries", "kernels"))


def remove(entries: Iterable[CacheEntry]) -> list[CacheEntry]:
    """Remove entries and return those that are gone; what another process holds stays.

    A run that is going on computes again what it misses, and what it has mapped into memory stays readable until it
    ends. Only counts that one of its workers opens later, for the first time, would be missed, and that worker's tests
    would fail.
    """
    return [entry for entry in entries if all(_remove_path(path, entry.kind) for path in entry.paths)]


def _grouped(folder: Path) -> Iterator[tuple[Path, ...]]:
    by_name: dict[str, list[Path]] = defaultdict(list)
    try:
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        msg = f"{folder} cannot be read ({why(error)}); --cache DIR or ZSGATE_CACHE names another folder"
        raise UsageProblem(msg) from None
    for path in inside:
        if path.suffix != ".lock":
            by_name[path.name if path.name.startswith(".") else path.name.partition(".")[0]].append(path)
    # an archive goes first: it says that the arrays beside it are there
    yield from (tuple(sorted(paths, key=lambda path: path.suffix != ".npz")) for paths in by_name.values())


def _entry(kind: str, paths: tuple[Path, ...]) -> CacheEntry:
    n_bytes, used = 0, 0.0
    for path in paths:
        for file in (path, *path.rglob("*")):
            with suppress(OSError):  # gone meanwhile
                status = file.stat()
                n_bytes += status.st_size if file.is_file() else 0
                used = max(used, status.st_mtime)
    return CacheEntry(kind, paths, n_bytes, used)


def _remove_path(path: Path, kind: str) -> bool:
    """Remove a file or folder, so that nobody sees half a folder, and return whether it is gone."""
    from filelock import FileLock

    # who makes or opens counts holds their lock
    lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=0) if kind == "counts" else nullcontext()
    try:
        if not path.is_dir():
            path.unlink(missing_ok=True)
            return True
        with lock:
            aside = path.rename(path.with_name(f"part-{uuid.uuid4().hex}"))
        shutil.rmtree(aside)
    except OSError:  # a lock that is held is a TimeoutError
        return False
    return True

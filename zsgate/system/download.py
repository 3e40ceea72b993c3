"""Download: one file from the network, resumed, locked, checked, with a progress bar; weights and datasets alike.

pooch is the usual library for this, but it starts a broken download anew, and a dataset may have 15 GB.
"""

from __future__ import annotations

import http.client
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

from zsgate.errors import UsageProblem
from zsgate.system.files import sha256_of

BLOCK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte
LARGE = 1 << 30  # bytes from which the size and the time are said before the download
SPEED = 10e6  # bytes a second, to estimate how long a download takes


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    n_bytes: int | None = None,
    instead: str = "name a folder with --weights DIR",
) -> None:
    """Download ``url`` to ``target``, unless it is there; an earlier attempt is continued where it stopped.

    Parameters
    ----------
    url
        Where the file is.
    target
        Where to put it; it appears there only once complete and checked.
    sha256
        Published digest, or None.
    n_bytes
        Published size, or None.
    instead
        What the user can do without the network; the message ends with it.

    Raises
    ------
    UsageProblem
        If the place cannot be reached, the disk has no room, or the bytes are not the published ones.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.exists():
            return
        part = target.with_name(target.name + ".part")
        make_sure_of_room(target, n_bytes, part)
        try:
            _receive(url, part, has_digest=sha256 is not None)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            msg = (
                f"{url} could not be downloaded ({error}). Run again to go on where it stopped, or put the "
                f"file at {target}, or {instead}"
            )
            raise UsageProblem(msg) from error
        _check(part, url, sha256, n_bytes)
        part.replace(target)
        _note_of(part).unlink(missing_ok=True)


def make_sure_of_room(target: Path, n_bytes: int | None, part: Path | None = None) -> None:
    """Raise UsageProblem unless the disk has room for the ``n_bytes`` of ``target`` that ``part`` does not yet have."""
    done = part.stat().st_size if part is not None and part.exists() else 0
    free = shutil.disk_usage(target.parent).free
    if n_bytes is not None and free < n_bytes - done:
        msg = f"{target.name} needs {n_bytes - done:,} bytes, {target.parent} has {free:,} free"
        raise UsageProblem(msg)


def _receive(url: str, part: Path, *, has_digest: bool) -> None:
    """Append what is missing of ``url`` to ``part``.

    If no digest will show that both pieces are of the same file, they are put together only if the server's mark of the
    version (its ETag) is the same as before; otherwise the download starts anew.
    """
    note = _note_of(part)
    mark = note.read_text(encoding="utf-8") if note.exists() else ""
    strong = bool(mark) and not mark.startswith("W/")  # files of the same weak mark may differ in some bytes
    if not (has_digest or strong):
        part.unlink(missing_ok=True)
    done = part.stat().st_size if part.exists() else 0
    asked = {"Range": f"bytes={done}-"} | ({"If-Range": mark} if strong else {}) if done else {}
    request = urllib.request.Request(url, headers={"User-Agent": "zsgate"} | asked)
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if error.headers.get("Content-Range", f"bytes */{done}") == f"bytes */{done}":  # nothing is missing
            return
        _refuse_part(part)
    with answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        if resumed and not has_digest and answer.headers.get("ETag") != mark:
            _refuse_part(part)
        _write(answer, part, done if resumed else 0)


def _write(answer: http.client.HTTPResponse, part: Path, done: int) -> None:
    """Write what the server sends behind the first ``done`` bytes, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    length = answer.headers.get("Content-Length")
    total = None if length is None else done + int(length)
    _announce(part, done, total)
    _note_of(part).write_text(answer.headers.get("ETag", ""), encoding="utf-8")
    columns = (TextColumn(part.stem), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)  # what a command prints may be a path
    with part.open("ab" if done else "wb") as file, bar:
        task = bar.add_task(part.stem, total=total, completed=done)
        while block := answer.read(BLOCK):
            file.write(block)
            bar.advance(task, len(block))
    if total is not None and part.stat().st_size < total:
        msg = f"the connection ended after {part.stat().st_size:,} of {total:,} bytes"
        raise ConnectionError(msg)


def _refuse_part(part: Path) -> NoReturn:
    """Delete what is kept of another file or version, and say so."""
    part.unlink()
    msg = "what was kept of an earlier attempt does not belong to this file and was deleted"
    raise ConnectionError(msg) from None


def _note_of(part: Path) -> Path:
    """Return where the server's mark of the version that ``part`` belongs to is kept."""
    return part.with_name(part.name + ".etag")


def _announce(part: Path, done: int, total: int | None) -> None:
    """Say how much comes and how long it may take, and make sure that there is room for it."""
    if total is None:
        return
    make_sure_of_room(part.with_suffix(""), total, part)
    if total - done > LARGE:
        size, hours = (total - done) / 1e9, (total - done) / SPEED / 3600
        said = f"{size:.1f} GB to download, {hours:.1f} hours at {SPEED / 1e6:.0f} MB/s; Ctrl-C keeps what came"
        sys.stderr.write(f"zsgate: {part.stem}: {said}\n")


def _check(part: Path, url: str, sha256: str | None, n_bytes: int | None) -> None:
    found, n_found = sha256_of(part), part.stat().st_size
    if sha256 is not None and found != sha256:
        fault = f"sha256 {found}, published is {sha256}"
    elif n_bytes is not None and n_found != n_bytes:
        fault = f"{n_found:,} bytes, published are {n_bytes:,}"
    else:
        return
    part.unlink()
    _note_of(part).unlink(missing_ok=True)
    msg = f"{url} gave a file with {fault}: it was deleted, nothing was loaded"
    raise UsageProblem(msg)

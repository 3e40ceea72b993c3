"""One file from the network: resumed, locked, checked, with a progress bar."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from zsgate.errors import UsageProblem

BLOCK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte


def fetch(url: str, target: Path, *, sha256: str | None, n_bytes: int | None = None) -> None:
    """Download ``url`` to ``target``, unless it is there, going on where an earlier attempt stopped.

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
        free = shutil.disk_usage(target.parent).free
        if n_bytes is not None and free < n_bytes:
            msg = f"{target.name} needs {n_bytes:,} bytes, {target.parent} has {free:,} free"
            raise UsageProblem(msg)
        try:
            _receive(url, part)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            msg = (
                f"{url} could not be downloaded ({error}). Run again to go on where it stopped, or put the "
                f"file at {target}, or name a folder with --weights DIR"
            )
            raise UsageProblem(msg) from error
        _check(part, url, sha256)
        part.replace(target)


def _receive(url: str, part: Path) -> None:
    """Append what is missing of ``url`` to ``part``."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "zsgate"} | _range(done))
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # nothing is missing
            return
        raise
    with answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        done = done if resumed else 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        columns = (TextColumn(part.stem), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with part.open("ab" if resumed else "wb") as file, Progress(*columns, transient=True) as progress:
            bar = progress.add_task(part.stem, total=total, completed=done)
            while block := answer.read(BLOCK):
                file.write(block)
                progress.advance(bar, len(block))
        if total is not None and part.stat().st_size < total:
            msg = f"the connection ended after {part.stat().st_size:,} of {total:,} bytes"
            raise ConnectionError(msg)


def _range(done: int) -> dict[str, str]:
    return {"Range": f"bytes={done}-"} if done else {}


def _check(part: Path, url: str, sha256: str | None) -> None:
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and digest != sha256:
        part.unlink()
        msg = f"{url} gave a file with sha256 {digest}, published is {sha256}: it was deleted, nothing was loaded"
        raise UsageProblem(msg)

"""Download: one file from the network, resumed, locked, checked; weights and datasets alike.

pooch is the usual library for this, but it starts a broken download anew, and a dataset may have 15 GB.
"""

from __future__ import annotations

import http.client
import shutil
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

from zsgate.errors import MachineFailed, UsageProblem
from zsgate.system.files import locked, sha256_of
from zsgate.system.progress import BYTES, steps

BLOCK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte
PATIENCE = 60.0  # seconds over which the speed is taken
SLOWEST = 1_000  # bytes a second; what comes more slowly than that is given up
HEAD = 512  # bytes in which a web page shows that it is one
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
        If the place cannot be reached, or the bytes are not the published ones. Where nothing is published of a file, a
        web page, and a file of which its server does not say where it ends, are refused as well.
    MachineFailed
        If the disk has no room, or the folder of ``target`` cannot be written to.
    """
    with locked(target.with_name(f"{target.name}.lock")):
        if target.exists():
            return
        part = target.with_name(target.name + ".part")
        make_sure_of_room(target, n_bytes, part)
        try:
            is_whole = _receive(url, part, has_digest=sha256 is not None)
        except UsageProblem:
            raise
        except (http.client.HTTPException, OSError, ValueError) as error:  # the last: of an address that is none
            msg = (
                f"{_shown(url)} could not be downloaded ({error}). Run again to go on where it stopped, or put the "
                f"file at {target}, or {instead}"
            )
            raise UsageProblem(msg) from error
        fault = _fault(part, sha256, n_bytes, is_whole=is_whole)
        if fault:
            part.unlink()
        else:
            part.replace(target)
        _note_of(part).unlink(missing_ok=True)
    if fault:
        msg = f"{_shown(url)} gave {fault}: it was deleted, nothing was loaded"
        raise UsageProblem(msg)


def make_sure_of_room(target: Path, n_bytes: int | None, part: Path | None = None) -> None:
    """Raise MachineFailed unless the disk has room for what ``part`` does not yet have of ``target``."""
    done = part.stat().st_size if part is not None and part.exists() else 0
    free = shutil.disk_usage(target.parent).free
    if n_bytes is not None and free < n_bytes - done:
        msg = f"{target.name} needs {n_bytes - done:,} bytes, {target.parent} has {free:,} free"
        raise MachineFailed(msg)


def _receive(url: str, part: Path, *, has_digest: bool) -> bool:
    """Append what is missing of ``url`` to ``part``, and return whether the server said where the file ends.

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
    if urlsplit(url).scheme not in ("http", "https"):
        msg = "an address begins with https:// or http://"
        raise ValueError(msg)
    request = urllib.request.Request(_shown(url), headers={"User-Agent": "zsgate"} | asked)
    if secret := urlsplit(url).netloc.rpartition("@")[0]:  # a name and password: for this place, and none it leads to
        request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote(secret).encode()).decode()}")
    try:
        answer = urllib.request.build_opener(SafeRedirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if error.headers.get("Content-Range", f"bytes */{done}") == f"bytes */{done}":  # nothing is missing
            return True
        _refuse_part(part)
    with answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        if resumed and not has_digest and answer.headers.get("ETag") != mark:
            _refuse_part(part)
        return _write(answer, part, done if resumed else 0)


class SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to another address, unless that is less safe: from https to https only, never to ftp."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request of the new address.

        Raises
        ------
        ConnectionError
            If that is not as safe.
        """
        allowed = ("https",) if req.type == "https" else ("https", "http")
        if urlsplit(newurl).scheme not in allowed:
            said = f"it leads from {req.type} to {_shown(newurl)}, which is not as safe"
            raise ConnectionError(said)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _write(answer: http.client.HTTPResponse, part: Path, done: int) -> bool:
    """Write what the server sends behind the first ``done`` bytes, and say how far that is.

    Returns whether the server said where the file ends: by its length, or by sending it in chunks, the last one marked.
    """
    length = answer.headers.get("Content-Length", "").strip()
    total = done + int(length) if length.isascii() and length.isdecimal() else None
    _announce(part, done, total)
    _note_of(part).write_text(answer.headers.get("ETag", ""), encoding="utf-8")
    missing = None if total is None else total - done
    with part.open("ab" if done else "wb") as file, steps(f"{part.stem}: downloading", missing, BYTES) as advance:
        begun, came = time.monotonic(), 0
        while block := answer.read1(BLOCK):
            file.write(block)
            advance(len(block))
            came, seconds = came + len(block), time.monotonic() - begun
            if seconds > PATIENCE:
                if came < SLOWEST * seconds:
                    msg = f"no more than {came / seconds:,.0f} bytes came in a second"
                    raise ConnectionError(msg)
                begun, came = time.monotonic(), 0
    if total is not None and part.stat().st_size < total:
        msg = f"the connection ended after {part.stat().st_size:,} of {total:,} bytes"
        raise ConnectionError(msg)
    return total is not None or bool(answer.chunked)


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


def _fault(part: Path, sha256: str | None, n_bytes: int | None, *, is_whole: bool) -> str:
    """Return in words why what came cannot be the file, or an empty string."""
    if sha256 is not None and (found := sha256_of(part)) != sha256:
        return f"a file with sha256 {found}, published is {sha256}"
    if n_bytes is not None and (n_found := part.stat().st_size) != n_bytes:
        return f"a file with {n_found:,} bytes, published are {n_bytes:,}"
    if sha256 is not None:
        return ""
    with part.open("rb") as file:
        head = file.read(HEAD).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "a web page and not the file"
    if n_bytes is None and not is_whole:
        return "a file without saying how long it is, so that it may be cut off"
    return ""


def _shown(url: str) -> str:
    """Return an address without the name and password that may stand in it."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address at all
        return url.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

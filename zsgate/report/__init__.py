"""The report: one record of a run in, pages out; nothing here knows a metric, a model or pytest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsgate.report.record.run import Record

__all__ = ["begin", "write"]
PAGES = ("index.html", "verdict.json")
BEFORE = "previous"  # folder of the pages of the run before


def write(record: Record, folder: Path) -> Path:
    """Write ``index.html`` and ``verdict.json`` into ``folder``, each whole or not at all.

    Parameters
    ----------
    record
        What a run found.
    folder
        Where to; created if missing.

    Returns
    -------
    Path of ``index.html``.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    from zsgate.report.page.html import render

    pages = {"verdict.json": record.to_json(), "index.html": render(record)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        _replace(folder / name, text)
    return folder / "index.html"


def begin(record: Record, folder: Path) -> None:
    """Write the pages of a run that was only started, and keep those of the run before in ``previous/``.

    Whatever becomes of this run, no page of another one stands in its place.

    Parameters
    ----------
    record
        Of the run that starts.
    folder
        Where to; created if missing.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    there = [folder / name for name in PAGES if (folder / name).is_file()]
    if there and not _is_running(folder):
        (folder / BEFORE).mkdir(exist_ok=True)
        for path in there:
            path.replace(folder / BEFORE / path.name)
    write(record, folder)


def _is_running(folder: Path) -> bool:
    """Return whether a folder has the pages of a run that never finished, which nobody needs any more."""
    try:
        return b'"gate": "running"' in (folder / "verdict.json").read_bytes()[:200]
    except OSError:
        return False


def _replace(path: Path, text: str) -> None:
    # a reader, or a job that is killed here, never sees half a page
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(text.encode())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

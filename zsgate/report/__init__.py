"""The report: one record of a run in, pages out; nothing here knows a metric, a model or pytest."""

from __future__ import annotations

import os
from collections.abc import Mapping
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

    # what machines read comes last: while it says "started", nothing is claimed
    pages = {"index.html": render(record), "verdict.json": record.to_json()}
    folder.mkdir(parents=True, exist_ok=True)
    _replace({folder / name: text for name, text in pages.items()})
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


def _replace(texts: Mapping[Path, str]) -> None:
    """Write files, all of them before the first takes the place of what is there: a full disk changes none."""
    partial = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in texts}
    try:
        for path, text in texts.items():
            partial[path].write_bytes(text.encode())
        for path, part in partial.items():
            part.replace(path)
    finally:
        for part in partial.values():
            part.unlink(missing_ok=True)

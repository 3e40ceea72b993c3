"""The report: one record of a run in, pages out; nothing here knows a metric, a model or pytest."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zsgate.report.record import complete

__all__ = ["write"]


def write(record: Mapping[str, Any], folder: Path) -> Path:
    """Write ``index.html`` and ``verdict.json`` into ``folder``, each whole or not at all.

    Parameters
    ----------
    record
        What a run found; see ``verdict.schema.json``.
    folder
        Where to; created if missing.

    Returns
    -------
    Path of ``index.html``.

    Raises
    ------
    TypeError
        If the record holds anything but builtins.
    """
    from zsgate.report.page.html import render

    whole = complete(record)
    pages = {
        "verdict.json": json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "index.html": render(whole),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        _replace(folder / name, text)
    return folder / "index.html"


def _replace(path: Path, text: str) -> None:
    # a reader, or a job that is killed here, never sees half a page
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(text.encode())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

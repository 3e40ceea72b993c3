"""Stored: a record as it lies in a file that anybody can have written or damaged."""

from __future__ import annotations

from pathlib import Path

from zsgate.errors import UsageProblem
from zsgate.report.record.run import Record


def read(path: Path) -> Record:
    """Return the record that a verdict.json holds.

    Raises
    ------
    UsageProblem
        If the file cannot be read, is damaged, or holds no record of this version; says which.
    """
    try:
        return Record.of_json(path.read_bytes())
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        msg = f"{path}: no verdict.json of this version ({type(error).__name__}: {error})"
    raise UsageProblem(msg)

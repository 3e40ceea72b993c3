"""Paths as users write them: what is one, and whose home a ``~`` means."""

from __future__ import annotations

from pathlib import Path

from zsgate.data.file.format import FILES, FOREIGN
from zsgate.errors import UsageProblem


def is_file(entry: str) -> bool:
    """Return whether a dataset is given by the path of its file or folder, and not by its name.

    Names of datasets have no slash and do not end like files, of formats that are not read included.
    """
    return "/" in entry or entry.lower().endswith(FILES + FOREIGN)


def expanded(path: str | Path) -> Path:
    """Return a path with ``~`` or ``~user`` in front made a folder.

    Raises
    ------
    UsageProblem
        If there is no such user, nobody knows where the home folder is, or no file can have such a name.
    """
    if "\0" in str(path):
        msg = f"{str(path)!r}: no file has a name with a NUL in it"
        raise UsageProblem(msg)
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        msg = f"{path}: there is no such home folder ({error})"
        raise UsageProblem(msg) from None

"""Where a command finds the files of datasets: options, and the variables that a run of the gate heeds."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsgate.fixtures.shelf import Shelf


def add_places(verb: argparse.ArgumentParser) -> None:
    """Add ``--cache`` and ``--mirror``."""
    verb.add_argument("--cache", type=Path, default=_given("ZSGATE_CACHE"), help="folder of what is kept")
    verb.add_argument("--mirror", default=_given("ZSGATE_MIRROR"), help="folder or address that has the files")


def shelf_of(given: argparse.Namespace) -> Shelf:
    """Return where the files are; offline if the verb has such an option and it is given, there or by its variable."""
    from zsgate.fixtures.shelf import Shelf

    offline = "offline" in given and (given.offline or _is_on("ZSGATE_OFFLINE"))
    return Shelf(Path(given.cache) if given.cache else Shelf.usual().cache, given.mirror, offline)


def _is_on(variable: str) -> bool:
    from zsgate.settings import read

    return bool(read("bool", _given(variable) or "no", variable, Path()))


def _given(variable: str) -> str | None:
    return os.environ.get(variable) or None

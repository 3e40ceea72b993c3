"""Options that several commands share: the cache folder and the mirror, found as a run of the gate finds them."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsgate.config.config import Config
    from zsgate.data.catalogue.files import Shelf


def add_places(verb: argparse.ArgumentParser) -> None:
    """Add ``--cache`` and ``--mirror``."""
    verb.add_argument("--cache", help="folder of what is kept")
    verb.add_argument("--mirror", help="folder or address that has the files")


def settings_of(given: argparse.Namespace) -> Config:
    """Return the settings of a run: the options that a command shares with it, variables, the nearest pyproject.toml.

    Raises
    ------
    UsageProblem
        If one of them cannot be read.
    """
    from zsgate.config.config import Config
    from zsgate.models import MODELS

    shared = {name: getattr(given, name, None) for name in ("cache", "mirror", "offline", "gpu")}
    return Config.gather({"model": "none", **shared}, os.environ, Path.cwd(), models=MODELS)


def shelf_of(given: argparse.Namespace) -> Shelf:
    """Return where the files of datasets are; a verb that has no ``--offline`` may download, so that runs need not."""
    from zsgate.run import datasets

    settings = settings_of(given)
    return replace(datasets.shelf_of(settings), offline="offline" in given and settings.offline)


def put(text: str, file: Path | None) -> None:
    """Write a text to a file, whole or not at all; without one, print it.

    Raises
    ------
    MachineFailed
        If the file cannot be written.
    """
    from zsgate.errors import MachineFailed
    from zsgate.system.files import make_folder, replaced_whole

    if file is None:
        print(text, end="")
        return
    try:
        make_folder(file.parent)
        with replaced_whole(file) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{file}: cannot write there ({error.strerror or error})"
        raise MachineFailed(msg) from None

"""Key of a copy of the cache folder: equal only where all that computes is equal. No noun of the command line."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import zsgate
from zsgate.errors import UsageProblem

OWN = ("zsgate", "zsgate.baselines", "zsgate.envs", "zsgate.fixtures", "zsgate.suites")  # the latter lie beside it


def key_of(model: str, weights: Path | None = None, also: str = "") -> str:
    """Return the key of what a run of this code on this model keeps.

    Parameters
    ----------
    model
        The candidate as ``--model`` names it, from the current folder: a name, ``pkg.mod:attr`` or a path.
    weights
        Folder or file of its weights; None where zsgate fetches them, whose digests are in its code.
    also
        What else tells copies apart.

    Raises
    ------
    UsageProblem
        If the source of the model cannot be found, or a file cannot be read.
    """
    sha = hashlib.sha256()
    for what in (*_surroundings(), f"model {model}", *_code_of(model), f"also {also}"):
        sha.update(f"{what}\n".encode())
    for name in OWN:
        for folder in _folders(name):
            for said in _contents(folder, "*.py"):
                sha.update(f"{name} {said}\n".encode())
    settings = Path("pyproject.toml")
    for said in _contents(settings, "*") if settings.exists() else ():
        sha.update(f"settings {said}\n".encode())
    if weights is not None:
        for said in _contents(weights, "*"):
            sha.update(f"weights {said}\n".encode())
    return f"zsgate-{zsgate.__version__}-{sha.hexdigest()[:32]}"


def _surroundings() -> Iterator[str]:
    """Yield what the code runs on."""
    yield f"python {platform.python_version()} {platform.system()} {platform.machine()}"
    yield from sorted({f"{each.metadata['Name']}=={each.version}" for each in distributions()})


def _code_of(model: str) -> Iterator[str]:
    """Yield digests of a user's code, or of a file or folder of embeddings; nothing of a model that zsgate has."""
    from zsgate.system.sources import code_beside

    place = Path(model.partition("#")[0])
    if place.exists():
        yield from _contents(place, "*")
        return
    module, colon, _ = model.partition(":")
    if not colon:
        return
    sys.path.insert(0, str(Path.cwd()))
    digest = code_beside(module)
    if not digest:
        msg = f"--model {model}: the source of {module} cannot be found, so no key can tell its code from another"
        raise UsageProblem(msg)
    yield f"code {digest}"


def _folders(name: str) -> list[Path]:
    spec = find_spec(name)
    return [] if spec is None else sorted(map(Path, spec.submodule_search_locations or ()))


def _contents(place: Path, pattern: str) -> Iterator[str]:
    """Yield name and digest of a file, or of the files in a folder."""
    from zsgate.system.files import sha256_of

    if not place.exists():
        msg = f"{place}: there is no such file or folder"
        raise UsageProblem(msg)
    try:
        paths = sorted(path for path in place.rglob(pattern) if path.is_file()) if place.is_dir() else [place]
        for path in paths:
            yield f"{path.relative_to(place) if place.is_dir() else path.name} {sha256_of(path)}"
    except OSError as error:
        msg = f"{place}: cannot be read ({error.strerror or error})"
        raise UsageProblem(msg) from None

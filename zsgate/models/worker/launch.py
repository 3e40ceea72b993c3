"""Starting a model in a process of its own: a packaged one, ``pkg.mod:attr``, or a command of the user's."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsgate.errors import UsageProblem
from zsgate.models import MODELS
from zsgate.models.device import fast_dtype
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.own import FAMILIES, find_checkpoint
from zsgate.models.worker.about import DECLARED, About
from zsgate.models.worker.client import Worker
from zsgate.models.worker.lane import Lane
from zsgate.models.worker.process import Command
from zsgate.models.worker.zsgate_worker import PROTOCOL
from zsgate.system.files import sha256_of
from zsgate.system.sources import code_of
from zsgate.system.store import Store

SERVING = "zsgate.models.worker.serving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a worker is started, and what it may use.

    Attributes
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    folder
        Where a relative path or the user's own module is looked for.
    scratch
        Where cells and answers lie; None makes a temporary folder.
    kept
        Where what a packaged model says of itself and of cells is kept; None: nowhere.
    timeout
        Seconds that may pass without progress; None sets no limit.
    memory
        Bytes that its processes may hold; None sets no limit.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.
    """

    device: str = "cpu"
    folder: Path
    scratch: Path | None = None
    kept: Store | None = None
    timeout: float | None = None
    memory: int | None = None
    offline: bool = False
    cache: Path | None = None


def launch(name: str, place: Place, *, weights: Path | None = None, **settings: Any) -> Worker:
    """Return a packaged model or ``pkg.mod:attr`` in a process of this interpreter.

    Of a packaged one nothing is started while what it says is kept and nobody asks for rows.

    Parameters
    ----------
    name
        As ``--model`` takes it.
    place
        Where.
    weights, **settings
        As :func:`zsgate.models.load` takes them.

    Raises
    ------
    UsageProblem
        If it cannot be loaded.
    """
    load = {"name": name, "folder": str(place.folder), "offline": place.offline, "settings": settings}
    load |= {"weights": weights and str(weights), "cache": place.cache and str(place.cache)}
    load |= {"parent": os.getpid(), "path": [path for path in sys.path if path]}
    words = (sys.executable, "-P", "-m", SERVING)
    lane = Lane(name, Command(words, place.folder, place.timeout, place.memory), place.device, load, place.scratch)
    if name not in MODELS:
        return _checked(Worker(lane, About.of(lane.hello(), name)))
    identity = None if place.kept is None else _identity(name, place, weights, settings)
    if place.kept is None or identity is None:
        hello = lane.hello()
    else:
        hello = place.kept.json("said", identity, lambda: dict(lane.hello()))
    return Worker(lane, About.of(hello, name), foreign=False, kept=place.kept)


def launch_command(name: str, place: Place, table: Mapping[str, Any]) -> Worker:
    """Return the model that a command of the user's serves.

    Parameters
    ----------
    name
        What the user calls it.
    place
        Where.
    table
        Its table in pyproject.toml: ``command``, and where that embeds one file and ends what it declares.

    Raises
    ------
    UsageProblem
        If it cannot be started, or says what cannot be used.
    """
    words = _split(name, table["command"])
    lane = Lane(name, Command(words, place.folder, place.timeout, place.memory), place.device, None, place.scratch)
    declared = {key: table[key] for key in DECLARED if key in table}
    if not lane.single_shot:
        hello = {**lane.hello(), **declared}
    else:
        if not any("{output" in word for word in words):
            msg = f"{name}: its command has {{input}} and no {{output}}: where are the rows to be written?"
            raise UsageProblem(msg)
        twin = ["random_init"] if any("{twin}" in word for word in words) else []
        hello = {"protocol": PROTOCOL, "name": name, **declared, "can": ["embed", *twin]}
    if (fingerprint := hello.get("fingerprint")) is not None:
        named = [sha256_of(path) for word in words if (path := place.folder / word).is_file()]
        hello["fingerprint"] = ":".join([str(fingerprint), place.device, *words, *named])
    return _checked(Worker(lane, About.of({"name": name, **hello}, name)))


def _split(name: str, command: Any) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except (ValueError, AttributeError, TypeError) as error:
        msg = f"{name}: command {str(command)[:80]!r} cannot be read ({error})"
        raise UsageProblem(msg) from None
    if not words:
        msg = f"{name}: command is empty"
        raise UsageProblem(msg)
    return words


def _checked(worker: Worker) -> Worker:
    """Return a worker unless it says that it runs elsewhere than it was told to."""
    said = worker.about.device
    if worker.lane.device == "cuda" and said is not None and not said.startswith(("cuda", "gpu")):
        worker.close()
        msg = f"--gpu: {worker.lane.name} says that it runs on {said!r}"
        raise UsageProblem(msg)
    return worker


def _identity(name: str, place: Place, weights: Path | None, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what decides what a packaged model says of itself: its files, its settings and its code.

    None where its files are in no folder that is known here: they may come with a package that its loader knows.
    """
    files, called = dict[str, str](), name
    if name in CHECKPOINTS or name in FAMILIES:
        try:
            checkpoint, found = find_checkpoint(name, weights, place.cache, offline=place.offline)
        except UsageProblem:
            return None
        files, called = {each: file.sha256 for each, file in found.items()}, checkpoint.name
    return {
        "name": name,
        "called": called,
        "files": files,
        "device": place.device,
        "dtype": fast_dtype(place.device),  # what some take where none is named
        "settings": {key: str(value) for key, value in settings.items()},
        "code": code_of(MODELS[name].partition(":")[0], SERVING),
    }

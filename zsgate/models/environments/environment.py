"""Environment: of a model that cannot live beside zsgate; what is known of it, whether it is there, and its command."""

from __future__ import annotations

import hashlib
import os
import shlex
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from zsgate.errors import UsageProblem, unknown
from zsgate.models.pretrained.checkpoint import Verified
from zsgate.models.worker import zsgate_worker
from zsgate.system.files import others_who_write

BUILT = "built.txt"  # written last: a digest of what was asked for, then what is installed
State = Literal["built", "outdated", "absent", "impossible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of a model that has an environment of its own, as its ``card.toml`` says it.

    Attributes
    ----------
    upstream
        Where the authors' code is.
    code_licence, weights_licence
        SPDX identifiers or plain words.
    python
        Version of Python that the environment is made with, such as ``"3.11"``.
    files
        What ``--weights`` must hold, in words.
    verified
        What was shown of it.
    stopped
        What stopped the rest, in words; empty if nothing did.
    """

    upstream: str
    code_licence: str
    weights_licence: str
    python: str
    files: str
    verified: Verified
    stopped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A model's own environment.

    Attributes
    ----------
    name
        What ``--model`` calls the model.
    source
        Folder of its card, its ``requirements.txt`` and its ``worker.py``.
    place
        Folder of the environment, made or not.
    card
        What is known of the model.
    """

    name: str
    source: Path
    place: Path
    card: Card

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.place / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def digest(self) -> str:
        """SHA-256 of what is installed in it, a space, and that of the code that it runs."""
        pins, *code = (self.source / "requirements.txt", self.source / "worker.py", Path(zsgate_worker.__file__))
        asked = self.card.python.encode() + b"\n" + pins.read_bytes()
        return " ".join(hashlib.sha256(each).hexdigest() for each in (asked, b"".join(map(Path.read_bytes, code))))

    @property
    def said(self) -> str:
        """The digest of what it was made from; empty where it is not there."""
        path = self.place / BUILT
        return path.read_text(encoding="utf-8").partition("\n")[0] if path.is_file() else ""

    @property
    def state(self) -> State:
        """Whether it is there, made from what is here now; ``"impossible"`` where there is nothing to make it from."""
        if not (self.source / "worker.py").is_file():
            return "impossible"
        if not self.said:
            return "absent"
        return "built" if self.said == self.digest else "outdated"

    def command(self, weights: Path | None) -> str:
        """Return the command that serves the model, as ``[tool.zsgate.models.NAME] command`` has it.

        What is installed is named in it, so that rows of one environment are never served as another's.

        Raises
        ------
        UsageProblem
            If the environment is not there, is not this account's alone, or the weights are not named or not there.
        """
        if self.state != "built":
            raise UsageProblem(self.missing())
        if said := others_who_write(self.place):
            msg = f"{self.place}: {said}, and who can write there can change what --model={self.name} computes"
            raise UsageProblem(msg)
        if weights is None or not weights.expanduser().exists():
            what = "needs --weights DIR" if weights is None else f"--weights {weights}: no such file or folder"
            msg = f"--model {self.name}: {what}; it must hold {self.card.files}"
            raise UsageProblem(msg)
        # neither this process's PYTHONPATH nor the account's own packages are the environment's
        words = (self.python, "-E", "-s", self.place / "worker.py", weights.expanduser().absolute())
        return f"{shlex.join(map(str, words))} {{device}} {shlex.quote(str(self.place / BUILT))}"

    def missing(self) -> str:
        """Return in words why it is not there, and what makes it."""
        if self.state == "impossible":
            return f"--model {self.name} cannot be set up: {self.card.stopped}"
        why = "is made from another version of its files" if self.state == "outdated" else "is not there yet"
        return f"--model {self.name}: its environment {why}; make it by: zsgate models setup {self.name}"


def environments(cache: Path, source: Path | None = None) -> dict[str, Environment]:
    """Return every environment by the name of its model.

    Parameters
    ----------
    cache
        Folder of what is kept; environments are made in ``envs`` there.
    source
        Folder of the cards; None takes those that come with zsgate.
    """
    found = {}
    for path in _cards(source):
        name = path.parent.name
        found[name] = Environment(name=name, source=path.parent, place=cache / "envs" / name, card=_read_card(path))
    return found


def names() -> tuple[str, ...]:
    """Return the names of the models that have an environment of their own, made or not."""
    return tuple(path.parent.name for path in _cards())


def _cards(source: Path | None = None) -> list[Path]:
    return sorted((source or Path(str(files("zsgate.envs")))).glob("*/card.toml"))


def find_environment(name: str, cache: Path, source: Path | None = None) -> Environment:
    """Return the environment of a model.

    Raises
    ------
    UsageProblem
        If no model of that name has one.
    """
    known = environments(cache, source)
    if name not in known:
        raise UsageProblem(unknown("model with an environment of its own", name, tuple(known)))
    return known[name]


def _read_card(path: Path) -> Card:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Card(**{**table, "verified": Verified(**table["verified"])})

"""Config: what the user asked for, from the command line, the environment, pyproject.toml and defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from zsgate.errors import UsageProblem

TIERS = {"quick": ("pancreas_quick",), "full": ("pancreas_hormone2cell",)}
POLICIES = ("beats", "noninferior", "point")
SCOPES = ("donors", "cells")
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one run.

    Attributes
    ----------
    model
        Name of a packaged model, ``pkg.mod:attr``, or a path to embeddings; only the command line names it.
    gpu
        Run the candidate on CUDA, or refuse to run.
    datasets
        Names of the catalogue and paths of ``.h5ad`` files; empty takes the tier's.
    label, batch, donor, counts
        Where the files keep cell types, batches, donors and raw counts.
    tier
        Which datasets to judge on.
    scope
        What the user's own files can speak for: new ``donors``, or these donors' ``cells`` only.
    policy
        What passes: ``beats``, ``noninferior`` or ``point``.
    margin
        Difference that counts as better.
    seeds
        Number of draws of whatever draws chance; None takes 5 (scVI on the quick tier: 3).
    report
        Folder of the page.
    cache
        Folder of the store; None takes the platform's cache folder.
    """

    model: str
    gpu: bool = False
    datasets: tuple[str, ...] = ()
    label: str | None = None
    batch: str | None = None
    donor: str | None = None
    counts: str | None = None
    tier: str = "quick"
    scope: str = "donors"
    policy: str = "beats"
    margin: float = 0.0
    seeds: int | None = None
    report: Path = Path("zsgate-report")
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that no run can use."""
        for name, known in (("tier", tuple(TIERS)), ("policy", POLICIES), ("scope", SCOPES)):
            if getattr(self, name) not in known:
                raise UsageProblem(unknown(name, getattr(self, name), known))
        if not 0 <= self.margin < 1:
            msg = f"margin must be in [0, 1), not {self.margin:g}"
            raise UsageProblem(msg)
        if self.seeds is not None and self.seeds < 2:
            msg = f"seeds must be at least 2 to know the spread over seeds, not {self.seeds}"
            raise UsageProblem(msg)

    @classmethod
    def gather(cls, command_line: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> Self:
        """Return the settings: command line over ``ZSGATE_*`` over ``[tool.zsgate]`` over defaults.

        Parameters
        ----------
        command_line
            Options by field name; None and False are "not given".
        environment
            Variables; only those named ``ZSGATE_<FIELD>`` are read.
        folder
            Where pytest was started: the nearest pyproject.toml at or above it counts, and paths in the
            environment and on the command line are relative to it.

        Raises
        ------
        UsageProblem
            If a value cannot be read, or a key is unknown.
        """
        settings = _from_pyproject(folder)
        for name in _names():
            if name != "model" and (text := environment.get(f"ZSGATE_{name.upper()}")) is not None:
                settings[name] = _read(name, text, f"ZSGATE_{name.upper()}", folder)
        for name, value in command_line.items():
            if value is not None and value is not False:
                settings[name] = _read(name, value, f"--{name}", folder)
        return cls(**settings)

    @property
    def dataset_names(self) -> tuple[str, ...]:
        """What to judge on: the datasets named, or the tier's."""
        return self.datasets or TIERS[self.tier]


def unknown(what: str, value: str, known: tuple[str, ...]) -> str:
    """Return the sentence for a name that is not known, with the nearest that is."""
    near = get_close_matches(value, known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {value!r}{hint} (known: {', '.join(known)})"


def _names() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Config))


def _from_pyproject(folder: Path) -> dict[str, Any]:
    for place in (folder, *folder.parents):
        path = place / "pyproject.toml"
        if path.is_file():
            try:
                table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("zsgate", {})
            except tomllib.TOMLDecodeError as error:
                msg = f"{path}: {error}"
                raise UsageProblem(msg) from None
            return _checked_table(table, path)
    return {}


def _checked_table(table: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if "model" in table:
        msg = f"{path}: [tool.zsgate] model: only the command line names the model, so that plain pytest stays plain"
        raise UsageProblem(msg)
    settings = {}
    for key, value in table.items():
        if key not in _names():
            raise UsageProblem(f"{path}: [tool.zsgate] " + unknown("key", key, _names()))
        settings[key] = _read(key, value, f"{path}: [tool.zsgate] {key}", path.parent)
    return settings


def _read(name: str, value: Any, origin: str, folder: Path) -> Any:
    """Return ``value`` as the field's type; text is parsed, other types must fit."""
    kind = {field.name: field.type for field in fields(Config)}[name]
    try:
        if kind == "bool":
            return _switch(value)
        if kind.startswith("tuple"):
            items = value.split(",") if isinstance(value, str) else value
            return tuple(_anchored(item.strip(), folder) for item in items if item.strip())
        if kind.startswith("Path"):
            return folder / Path(value).expanduser()
        if kind.startswith(("int", "float")):
            return (int if kind.startswith("int") else float)(value)
        if not isinstance(value, str):
            raise TypeError
    except (TypeError, ValueError, AttributeError):
        msg = f"{origin}: cannot read {value!r} as {kind.split(' |')[0]}"
        raise UsageProblem(msg) from None
    return value


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in TRUE + FALSE:
        raise ValueError
    return text in TRUE


def _anchored(item: str, folder: Path) -> str:
    """Return a file's path made absolute from ``folder``, and a bare name as it is."""
    return str(folder / Path(item).expanduser()) if item.endswith((".h5ad", ".zarr")) or "/" in item else item

"""Sources of settings: variables of the environment, and [tool.zsgate] of pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zsgate.config import tables
from zsgate.config.parse import NAMES, Parser, Place
from zsgate.errors import UsageProblem, sentence, unknown

NOT_SETTINGS = ("ZSGATE_TEST_DATA",)  # variables that only zsgate's own tests read
ONLY_COMMAND_LINE = "{}: only the command line names the model, so that plain pytest stays plain"

Settings = dict[str, Any]  # by field of Config


def from_environment(environment: Mapping[str, str], parsers: Mapping[str, Parser], place: Place) -> Settings:
    """Return the settings that variables state.

    Parameters
    ----------
    environment
        Variables; those named ``ZSGATE_<FIELD>`` are read, an empty one is "not given".
    parsers
        How each setting is read, by field.
    place
        Where pytest was started.

    Raises
    ------
    UsageProblem
        If a variable is unknown or cannot be read.
    """
    variables = {f"ZSGATE_{name.upper()}": name for name in parsers}
    settings = {}
    for variable, text in environment.items():
        if not variable.startswith("ZSGATE_") or variable in NOT_SETTINGS or not text:
            continue
        if variable == "ZSGATE_MODEL":
            raise UsageProblem(ONLY_COMMAND_LINE.format(variable))
        if variable not in variables:
            raise UsageProblem(unknown("variable", variable, tuple(variables)))
        name = variables[variable]
        settings[name] = parsers[name].read(text, variable, place)
    return settings


def find_pyproject(folder: Path, first: Path | None = None, *, only: bool = False) -> Path | None:
    """Return the file whose ``[tool.zsgate]`` counts, or None where there is none.

    Parameters
    ----------
    folder
        Where pytest was started: the nearest pyproject.toml at or above it counts,
    first
        unless this file, from which pytest has its own settings, has the table.
    only
        Whether ``first`` was asked for by name and no other file counts.
    """
    if first is not None and (only or _table(first)):
        return first
    return next((path for at in (folder, *folder.parents) if (path := at / "pyproject.toml").is_file()), None)


def from_pyproject(path: Path | None, parsers: Mapping[str, Parser], place: Place) -> Settings:
    """Return the settings of a pyproject.toml, ``own`` holding the user's datasets.

    Parameters
    ----------
    path
        The file; None has no settings. Its paths are relative to it.
    parsers
        How each setting is read, by field.
    place
        Where pytest was started.

    Raises
    ------
    UsageProblem
        If the file or a value cannot be read, or a key is unknown.
    """
    if path is None:
        return {}
    where, place = f"{path}: [tool.zsgate]", replace(place, folder=path.parent)
    settings = _table(path)
    if "model" in settings:
        raise UsageProblem(ONLY_COMMAND_LINE.format(f"{where} model"))
    own = settings.pop("datasets") if isinstance(settings.get("datasets"), dict) else {}
    found = {"own": tables.DATASETS.read(own, f"{where} datasets", place)} if own else {}
    _rename_judge_on(settings, where, place)
    for key in settings:
        if key not in parsers:
            raise UsageProblem(f"{where} " + unknown("key", key, (*parsers, "judge_on")))
    return found | {key: parsers[key].read(value, f"{where} {key}", place) for key, value in settings.items()}


def _table(path: Path) -> Settings:
    """Return the table of a TOML file, empty where it has none."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # not TOML, or not UTF-8; nested without end
        msg = f"{path}: {sentence(str(error))}"
        raise UsageProblem(msg) from None
    tool = content.get("tool", {})
    table = tool.get("zsgate", {}) if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        msg = f"{path}: [tool.zsgate] must be a table"
        raise UsageProblem(msg)
    return dict(table)


def _rename_judge_on(settings: Settings, where: str, place: Place) -> None:
    """Call ``judge_on`` what it is: ``datasets``, whose name tables of the user's datasets may have taken."""
    if "judge_on" not in settings:
        return
    if "datasets" in settings:
        msg = f"{where}: datasets and judge_on both list what to judge on; keep one"
        raise UsageProblem(msg)
    NAMES.read(settings["judge_on"], f"{where} judge_on", place)
    settings["datasets"] = settings.pop("judge_on")


def without(table: Mapping[str, Any], stated: Collection[str]) -> Mapping[str, Any]:
    """Return a table of a dataset without what the command line or a variable states."""
    return {key: value for key, value in table.items() if key not in stated}

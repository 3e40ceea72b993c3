"""Settings: values of variables and of pyproject.toml, read as the type of the field they fill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from zsgate.data.file import is_file
from zsgate.errors import UsageProblem, unknown
from zsgate.verdict.threshold import Threshold
from zsgate.verdict.waiver import Waiver

T = TypeVar("T")
Address = str  # of a folder, or on the web
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
ABOUT_PRETRAINING = ("pretraining", "corpus")  # what a user may say of any model, a model of their own too
MODEL_SETTINGS = ("weights", "preset", "dtype", "randomness", "draws", *ABOUT_PRETRAINING)
DATASET_SETTINGS = ("path", "label", "batch", "donor", "counts", "scope")
SCOPES = ("donors", "cells")
WORDS = {
    "Mapping[str, Mapping[str, Any]]": "tables of models",
    "own datasets": "tables of datasets",
    "Address": "a folder or an address",
    "str": "text",
    "tuple[str, ...]": "names",
    "tuple[Threshold, ...]": "tables",
    "tuple[Waiver, ...]": "tables",
    "Path": "a path",
}


def read(kind: str, value: Any, origin: str, folder: Path) -> Any:
    """Return ``value`` as a setting's type; text is parsed, other types must fit.

    Parameters
    ----------
    kind
        The annotation of the setting's field.
    value
        Text of a variable, or what TOML made of it.
    origin
        Where it was found, for the message.
    folder
        What paths are relative to.

    Raises
    ------
    UsageProblem
        If the value is empty or cannot be read so.
    """
    kind = kind.removesuffix(" | None")
    if value == "":
        msg = f"{origin} is empty"
        raise UsageProblem(msg)
    try:
        return _PARSERS[kind](value, folder)
    except UsageProblem as problem:
        msg = f"{origin}: {problem}"
        raise UsageProblem(msg) from None
    except (TypeError, ValueError, AttributeError, RuntimeError):  # the last: a home folder of nobody
        msg = f"{origin}: cannot read {value!r} as {WORDS.get(kind, kind)}"
        raise UsageProblem(msg) from None


def _text(value: Any, _: Path) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(kind: type[int] | type[float]) -> Callable[[Any, Path], float]:
    def parse(value: Any, _: Path) -> float:
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise TypeError
        return kind(value)

    return parse


def _tables(value: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Return tables of model settings with their paths made absolute."""
    from zsgate.models import MODELS

    for name, table in value.items():
        if name not in MODELS and not set(table) <= set(ABOUT_PRETRAINING):
            raise UsageProblem(unknown("model", name, tuple(MODELS)) + "; only packaged models have settings")
        if strangers := set(table) - set(MODEL_SETTINGS):
            raise UsageProblem(unknown("model setting", min(strangers), MODEL_SETTINGS))

    def path(value: Any, folder: Path) -> Path:
        return _place(_text(value, folder), folder)

    parsers = {"weights": path, "corpus": path, "pretraining": _list}
    return {
        name: {key: parsers[key](each, folder) if key in parsers else each for key, each in table.items()}
        for name, table in value.items()
    }


def _list(value: Any, folder: Path) -> tuple[str, ...]:
    """Return names as they are and paths of files made absolute; an empty list means none."""
    if not isinstance(value, list):
        raise TypeError
    return tuple(_dataset(_text(item, folder), folder) for item in value)


def _datasets(value: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Return tables of the user's datasets with their paths made absolute."""
    found: dict[str, dict[str, Any]] = {}
    for name, table in value.items():
        if strangers := set(table) - set(DATASET_SETTINGS):
            raise UsageProblem(f"{name}: " + unknown("key", min(strangers), DATASET_SETTINGS))
        if "path" not in table:
            msg = f"{name}: path is missing: where is the .h5ad or .zarr file?"
            raise UsageProblem(msg)
        if table.get("scope", "donors") not in SCOPES:
            raise UsageProblem(f"{name}: " + unknown("scope", str(table["scope"]), SCOPES))
        found[name] = {key: _text(each, folder) for key, each in table.items()}
        found[name]["path"] = _place(table["path"], folder)
    return found


def _address(value: Any, folder: Path) -> str:
    """Return an address as it is, a folder made absolute."""
    return value if _text(value, folder).startswith(("http://", "https://")) else str(_place(value, folder))


def _place(value: Any, folder: Path) -> Path:
    return folder / Path(value).expanduser()


def _names(value: Any, folder: Path) -> tuple[str, ...]:
    """Return names as they are and paths of files made absolute."""
    items = [item.strip() for item in (value.split(",") if isinstance(value, str) else value)]
    if not any(items):
        raise ValueError
    return tuple(_dataset(item, folder) for item in items if item)


def _dataset(item: str, folder: Path) -> str:
    """Return a name as it is; a path, with the slash that completion adds to a folder, made absolute."""
    path = item.rstrip("/")
    return str(_place(path, folder)) if is_file(path) else item


def _each(read: Callable[[Any], T]) -> Callable[[Any, Path], tuple[T, ...]]:
    """Return the parser of an array of tables."""

    def parse(value: Any, _: Path) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError
        return tuple(read(table) for table in value)

    return parse


def _switch(value: Any, _: Path) -> bool:
    if isinstance(value, bool):
        return value
    if _text(value, _).lower() not in TRUE + FALSE:
        raise ValueError
    return value.lower() in TRUE


_PARSERS: dict[str, Callable[[Any, Path], Any]] = {
    "Mapping[str, Mapping[str, Any]]": _tables,
    "own datasets": _datasets,
    "Address": _address,
    "bool": _switch,
    "float": _number(float),
    "int": _number(int),
    "Path": _place,
    "str": _text,
    "tuple[str, ...]": _names,
    "tuple[Threshold, ...]": _each(Threshold.of),
    "tuple[Waiver, ...]": _each(Waiver.of),
}

"""Tables of pyproject.toml: settings of models, the user's datasets, thresholds and waivers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from zsgate.config.parse import GIGABYTES, TIMEOUT, Parser, Place, text
from zsgate.data.dataset import SCOPES
from zsgate.errors import UsageProblem, unknown
from zsgate.models.environments.environment import names
from zsgate.models.worker.about import DECLARED
from zsgate.verdict.terms import POLICIES
from zsgate.verdict.threshold import Threshold
from zsgate.verdict.waiver import Waiver

T = TypeVar("T")
Table = dict[str, Any]
LONGEST = timedelta(days=366)  # that a waiver may be written for
ABOUT_PRETRAINING = ("pretraining", "corpus")  # what a user may say of any model, a model of their own too
LIMITS = ("timeout", "memory")  # of a model's process, before those of all models
MODEL_SETTINGS = ("weights", "preset", "dtype", "randomness", "draws", "pooling", *LIMITS, *ABOUT_PRETRAINING)
OWN_SETTINGS = ("draws", *LIMITS, *ABOUT_PRETRAINING)  # of pkg.mod:attr
COMMAND_SETTINGS = ("command", *DECLARED, *LIMITS, *ABOUT_PRETRAINING)
APART_SETTINGS = ("weights", *LIMITS, *ABOUT_PRETRAINING)  # of a model that has an environment of its own
DATASET_SETTINGS = ("path", "label", "batch", "donor", "counts", "scope")


def _models(value: Any, place: Place) -> dict[str, Table]:
    """Return the settings of each model, their paths made absolute."""
    for name, table in value.items():
        if "command" in table:
            _check_command(name, table, place)
            continue
        takes = _taken_by(name, place)
        if not (strangers := set(table) - set(takes)):
            continue
        if takes in (OWN_SETTINGS, ABOUT_PRETRAINING):
            known = unknown("model", name, tuple(place.models))
            msg = f"{known}; packaged ones and commands have settings"
            raise UsageProblem(msg)
        raise UsageProblem(unknown("model setting", min(strangers), takes))
    parsers: dict[str, Callable[[Any, Place], Any]] = {"weights": _path, "corpus": _path, "pretraining": _pretraining}
    parsers |= {"timeout": TIMEOUT.convert, "memory": GIGABYTES.convert}
    return {
        name: {key: parsers[key](each, place) if key in parsers else each for key, each in table.items()}
        for name, table in value.items()
    }


def _taken_by(name: str, place: Place) -> tuple[str, ...]:
    """Return the keys that the table of a model may have."""
    if name in place.models:
        return MODEL_SETTINGS
    if ":" in name:
        return OWN_SETTINGS
    return APART_SETTINGS if name in names() else ABOUT_PRETRAINING


def _check_command(name: str, table: Table, place: Place) -> None:
    """Refuse the table of a command whose name means something else, or which says what nobody reads."""
    if name in place.models or ":" in name or "/" in name:
        msg = f"{name}: a model that a command serves needs a name of its own"
        raise UsageProblem(msg)
    if strangers := set(table) - set(COMMAND_SETTINGS):
        raise UsageProblem(f"{name}: " + unknown("setting of a command", min(strangers), COMMAND_SETTINGS))


def _path(value: Any, place: Place) -> Path:
    return place.path(text(value))


def _pretraining(value: Any, place: Place) -> tuple[str, ...]:
    """Return names of datasets as they are and paths of files made absolute; an empty list means none."""
    if not isinstance(value, list):
        raise TypeError
    return tuple(place.dataset(text(item)) for item in value)


def _datasets(value: Any, place: Place) -> dict[str, Table]:
    """Return the table of each of the user's datasets, its path made absolute."""
    found: dict[str, Table] = {}
    for name, table in value.items():
        if strangers := set(table) - set(DATASET_SETTINGS):
            raise UsageProblem(f"{name}: " + unknown("key", min(strangers), DATASET_SETTINGS))
        if "path" not in table:
            msg = f"{name}: path is missing: where is the .h5ad or .zarr file?"
            raise UsageProblem(msg)
        if table.get("scope", "donors") not in SCOPES:
            raise UsageProblem(f"{name}: " + unknown("scope", str(table["scope"]), SCOPES))
        found[name] = {key: text(each) for key, each in table.items()} | {"path": _path(table["path"], place)}
    return found


def _threshold(table: Any) -> Threshold:
    _check_keys(table, required=("match",), optional=("policy", "margin", "threshold"))
    if (policy := table.get("policy")) is not None and policy not in POLICIES:
        raise UsageProblem(unknown("policy", policy, POLICIES))
    if len(table) == 1:
        msg = f"{table['match']!r} sets nothing; give policy, margin or threshold"
        raise UsageProblem(msg)
    return Threshold(
        match=table["match"],
        policy=policy,
        margin=_number(table, "margin", 0, math.nextafter(1, 0)) if "margin" in table else None,
        threshold=_number(table, "threshold", -1e9, 1e9) if "threshold" in table else None,
    )


def _waiver(table: Any) -> Waiver:
    _check_keys(table, required=("match", "reason", "owner", "expires", "max_deficit"), optional=("model",))
    match, expires = table["match"], _day(table["expires"], table["match"])
    if not match.strip("*?-"):
        msg = f"{match!r} waives every test; name what may fail: a dataset, a baseline or a metric"
        raise UsageProblem(msg)
    if expires > date.today() + LONGEST:
        msg = f"expires of {match!r} is {expires}, more than a year ahead; a waiver is for a while: renew it then"
        raise UsageProblem(msg)
    return Waiver(
        match=match,
        reason=table["reason"],
        owner=table["owner"],
        expires=expires,
        max_deficit=_number(table, "max_deficit", 0, 1e9),
        model=table.get("model", ""),
    )


def _array_of(convert: Callable[[Any], T]) -> Callable[[Any, Place], tuple[T, ...]]:
    """Return the parser of an array of tables."""

    def parse(value: Any, _: Place) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError
        return tuple(convert(table) for table in value)

    return parse


def _check_keys(table: Any, *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Raise UsageProblem unless ``table`` is one with the required keys, filled, and no unknown ones."""
    if not isinstance(table, Mapping):
        msg = f"must be tables, not {table!r}"
        raise UsageProblem(msg)
    for key in table:
        if key not in required + optional:
            raise UsageProblem(unknown("key", key, required + optional))
    missing = [key for key in required if table.get(key) in (None, "")]
    if missing:
        where = f" in the one that matches {table['match']!r}" if table.get("match") else ""
        msg = f"{', '.join(missing)} missing{where}; needed are {', '.join(required)}"
        raise UsageProblem(msg)
    for key in ("match", "reason", "owner", "policy", "model"):
        if not isinstance(table.get(key, ""), str):
            msg = f"{key} must be text, not {table[key]!r}"
            raise UsageProblem(msg)


def _number(table: Mapping[str, Any], key: str, low: float, high: float) -> float:
    """Return a number of a table; raise UsageProblem if it is none or outside of [low, high]."""
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        msg = f"{key} of {table['match']!r} must be a number from {low:g} to {high:g}, not {value!r}"
        raise UsageProblem(msg)
    return float(value)


def _day(value: Any, match: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        msg = f"expires of {match!r} must be a day such as 2027-01-31, not {value!r}"
        raise UsageProblem(msg) from None


MODELS = Parser("tables of models", _models)
DATASETS = Parser("tables of datasets", _datasets)
THRESHOLDS = Parser("tables", _array_of(_threshold))
WAIVERS = Parser("tables", _array_of(_waiver))

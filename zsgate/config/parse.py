"""Parsers: from the text of a variable, or what TOML made of a value, to a setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsgate.data.file.path import expanded, is_file
from zsgate.errors import UsageProblem, sentence

SECONDS = {"h": 3600, "m": 60, "min": 60, "s": 1}
FEWEST_CELLS = 100  # that anybody may ask for
MOST_SECONDS = 1e9  # thirty years; timers of some systems overflow soon afterwards
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a setting is said.

    Attributes
    ----------
    folder
        What paths are relative to.
    models
        Names of the models that can have settings of their own.
    """

    folder: Path
    models: Collection[str] = ()

    def path(self, value: str | Path) -> Path:
        """Return a path made absolute."""
        return self.folder / expanded(value)

    def dataset(self, item: str) -> str:
        """Return a dataset's name as it is; a path, without the slash that completion adds to a folder, absolute."""
        return str(self.path(item.rstrip("/"))) if is_file(item) else item


@dataclass(frozen=True, slots=True)
class Parser:
    """How the value of a setting is read.

    Attributes
    ----------
    kind
        What it must be, in words, for the message.
    convert
        Takes the value and its place; raises TypeError, ValueError, OverflowError or AttributeError where the
        value is no such thing, UsageProblem where it can say more.
    """

    kind: str
    convert: Callable[[Any, Place], Any]

    def read(self, value: Any, origin: str, place: Place) -> Any:
        """Return the setting.

        Parameters
        ----------
        value
            Text of a variable or an option, or what TOML made of it.
        origin
            Where it was found, for the message.
        place
            What paths are relative to.

        Raises
        ------
        UsageProblem
            If the value is empty or cannot be read so.
        """
        if value == "":
            msg = f"{origin} is empty"
            raise UsageProblem(msg)
        try:
            return self.convert(value, place)
        except UsageProblem as problem:
            msg = f"{origin}: {sentence(str(problem))}"
            raise UsageProblem(msg) from None
        except (TypeError, ValueError, OverflowError, AttributeError):
            msg = f"{origin}: cannot read {_shown(value)} as {self.kind}"
            raise UsageProblem(msg) from None


def _shown(value: Any) -> str:
    """Return a value as Python writes it, cut where it is long."""
    try:
        return sentence(repr(value))
    except ValueError:  # Python writes no number of thousands of digits
        return "a number of thousands of digits"


def text(value: Any) -> str:
    """Return a value that is text.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if not isinstance(value, str):
        raise TypeError
    return value


def _switch(value: Any, _: Place) -> bool:
    if isinstance(value, bool):
        return value
    if text(value).lower() not in TRUE + FALSE:
        raise ValueError
    return bool(value.lower() in TRUE)


def _whole(value: Any, _: Place) -> int:
    if isinstance(value, bool | float):
        raise TypeError
    return int(value)


def _cells(value: Any, place: Place) -> int:
    """Return how many cells to judge on at most, 0 for all of them."""
    if value == "all":
        return 0
    number = _whole(value, place)
    if number < FEWEST_CELLS:
        msg = f"{number} cells are too few to judge on; give {FEWEST_CELLS} or more, or all"
        raise UsageProblem(msg)
    return number


def _real(value: Any, _: Place) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _seconds(value: Any, _: Place) -> float:
    """Return a number of seconds that a clock of the system can count."""
    number = _real(value, _)
    if not 0 < number < MOST_SECONDS:
        msg = f"timeout must be a number of seconds above 0 and below {MOST_SECONDS:g}, not {number:g}"
        raise UsageProblem(msg)
    return number


def _gigabytes(value: Any, _: Place) -> int:
    """Return a number of bytes, given in GB: ``16``, ``"16GB"``."""
    number = float(value.upper().removesuffix("GB").strip()) if isinstance(value, str) else _real(value, _)
    if not number * 1e9 >= 1:  # less than a byte would be none
        msg = f"memory must be a number of GB above 0, not {value}"
        raise UsageProblem(msg)
    return int(number * 1e9)


def _duration(value: Any, _: Place) -> float:
    """Return seconds: of ``45m``, ``2h``, ``1h30m``, ``90s``."""
    if not (found := re.fullmatch(r"(?:\d+(?:\.\d+)?(?:h|min|m|s))+", text(value).replace(" ", "").lower())):
        raise ValueError
    seconds = sum(float(n) * SECONDS[unit] for n, unit in re.findall(r"([\d.]+)(h|min|m|s)", found[0]))
    if not 0 < seconds < MOST_SECONDS:
        raise ValueError
    return seconds


def _address(value: Any, place: Place) -> str:
    """Return an address as it is, a folder made absolute."""
    return text(value) if text(value).startswith(("http://", "https://")) else str(place.path(value))


def _names(value: Any, place: Place) -> tuple[str, ...]:
    """Return names as they are and paths of files made absolute, from a list or from text with commas."""
    items = [item.strip() for item in _items(value)]
    if not any(items):
        raise ValueError
    return tuple(place.dataset(item) for item in items if item)


def _items(value: Any) -> list[Any]:
    """Return what a list has, or text between its commas; the keys of a table are none of either."""
    if isinstance(value, str):
        return value.split(",")
    if not isinstance(value, list | tuple):
        raise TypeError
    return list(value)


def _texts(value: Any, _: Place) -> tuple[str, ...]:
    """Return a list of texts, or text with commas, without blanks around them."""
    return tuple(text(item).strip() for item in _items(value))


TEXT = Parser("text", lambda value, _: text(value))
TEXTS = Parser("a list of texts", _texts)
SWITCH = Parser("bool", _switch)
WHOLE = Parser("int", _whole)
CELLS = Parser("a number of cells, or all", _cells)
REAL = Parser("float", _real)
TIMEOUT = Parser("a number of seconds", _seconds)
GIGABYTES = Parser("a number of GB", _gigabytes)
DURATION = Parser("a time such as 45m, 2h or 1h30m", _duration)
PATH = Parser("a path", lambda value, place: place.path(value))
ADDRESS = Parser("a folder or an address", _address)
NAMES = Parser("names", _names)

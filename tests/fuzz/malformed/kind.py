"""What fuzzing has in common, whatever is damaged: kinds of input, and what may come of a case."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

import zsgate
from zsgate.errors import UsageProblem

LONGEST = 2000  # letters of a sentence that anybody reads
TO_FETCH = "file(s) are not in"  # what is to be fetched is a list, a line a file
SECONDS = 30  # in which every case has to come to an end


class Came(StrEnum):
    """What came of a case that is no fault."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class Lost(AssertionError):
    """A fault: a wrong number, a traceback, several lines, a crash, no end, or sound input that is refused."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name
        Of the kind.
    cases
        Returns the strategy of its cases, which are plain data that another process can be sent.
    check
        Writes a case into an empty folder, has zsgate read it and returns what came; raises Lost if that is wrong.
    apart
        Whether reading it can crash or never end, so that it happens in a process of its own.
    prepare
        What takes long once, before the first case.
    """

    name: str
    cases: Callable[[], SearchStrategy[Any]]
    check: Callable[[Any, Path], Came]
    apart: bool
    prepare: Callable[[], None] = lambda: None


def shown(case: Any) -> str:
    """Return a case as a fault shows it."""
    try:
        text = repr(case)
    except ValueError:  # Python writes no number of thousands of digits
        text = "a case with a number of thousands of digits"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def refusal(read: Callable[[], Any]) -> tuple[Any, str]:
    """Return (what is read, an empty string), or (None, the sentence with which it is refused).

    Raises
    ------
    Lost
        If it is refused in anything but one sentence, or the user is warned of zsgate's own arithmetic.
    """
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = read()
        _refuse_warnings(told)
        return found, ""
    except UsageProblem as problem:
        _refuse_warnings(told)
        return None, one_sentence(str(problem))
    except Lost:
        raise
    except Exception as error:
        msg = f"not refused in a sentence: {type(error).__name__}: {error}"
        raise Lost(msg) from error


def _refuse_warnings(told: Sequence[warnings.WarningMessage]) -> None:
    ours = [each for each in told if Path(zsgate.__file__).parent in Path(each.filename).parents]
    if ours:
        msg = f"a warning instead of a sentence: {ours[0].message} ({ours[0].filename}:{ours[0].lineno})"
        raise Lost(msg)


def one_sentence(said: str) -> str:
    """Return what is said, in one line that anybody reads, or raise Lost."""
    if not said.strip():
        msg = "refused without a word"
        raise Lost(msg)
    if len(said.splitlines()) > 1 and TO_FETCH not in said:
        msg = f"several lines: {said[:500]!r}"
        raise Lost(msg)
    if len(said) > LONGEST:
        msg = f"a sentence of {len(said):,} letters: {said[:500]!r}"
        raise Lost(msg)
    return said

"""Whose fault it is when a run goes wrong, each with an exit code of its own; and the sentence for an unknown name."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Literal

LONGEST = 1000  # letters of a sentence; values that users write, and what libraries say, may have any number
SHORT = 40  # letters of a value within one
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


class UsageProblem(ValueError):
    """The user's arguments or data cannot be used: exit 4, said before anything runs."""


class MachineFailed(UsageProblem):
    """The machine cannot do it, as where a disk is full or a folder cannot be locked: never the candidate's fault.

    Exit 4 before anything runs, 3 afterwards.
    """


class CandidateFailed(AssertionError):
    """The candidate's own output is unusable: its tests fail, exit 1."""


class BaselineFailed(RuntimeError):
    """A baseline could not be computed: the gate itself broke, exit 3."""


def without_credentials(text: str) -> str:
    """Return a text with names, passwords and tokens left out of the addresses in it: ``https://user:TOKEN@host``."""
    return _CREDENTIALS.sub("", text)


class GateBroke(RuntimeError):
    """The gate itself or the machine failed, and neither the candidate nor a baseline: exit 3."""


# what the system says where it has no more of something, and not of what was asked of it; with what helps
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_PROCESSES = "raise the limits of processes and memory (ulimit -u, -v), or run fewer at once"
OF_THE_MACHINE = {
    **dict.fromkeys((*FULL, errno.EROFS, errno.ENOLCK), "TMPDIR and --cache name folders with room"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files (ulimit -n)"),
    **dict.fromkeys((errno.EAGAIN, errno.ENOMEM), NO_PROCESSES),
}


def machine_fault(error: BaseException | None) -> str:
    """Return in words what failed if it was the machine, also as the cause of an error; else an empty string."""
    if error is None:
        return ""
    if isinstance(error, OSError) and (remedy := OF_THE_MACHINE.get(error.errno or 0)):
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{where}; {remedy}"
    return str(error) if isinstance(error, MachineFailed) else machine_fault(error.__cause__)


def whose(error: BaseException) -> Literal["candidate", "baseline", "gate"]:
    """Return whose fault it is that a test ended by an error; the gate's where it is nobody else's."""
    if isinstance(error, CandidateFailed):
        return "candidate"
    return "baseline" if isinstance(error, BaselineFailed) else "gate"


def in_words(error: BaseException) -> str:
    """Return an error in one line; one that says whose it is and what happened speaks for itself."""
    if isinstance(error, CandidateFailed):
        return str(error)
    said = getattr(error, "words", None)
    return said if isinstance(said, str) else f"{type(error).__name__}: {error}"


def sentence(text: str) -> str:
    """Return a text in one line, cut where it is too long to be read."""
    line = text if len(text.splitlines()) < 2 else " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def shown(value: object) -> str:
    """Return a value that a file holds, as a sentence shows it: in one line, and not much of it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of thousands of digits
        return f"a large {type(value).__name__}"
    return text if len(text) <= SHORT else f"{text[:SHORT]} ..."


def unknown(what: str, value: str, known: tuple[str, ...]) -> str:
    """Return the sentence for a name that is not known, with the nearest one that is.

    Parameters
    ----------
    what
        What is named, such as ``"policy"``.
    value
        The name given.
    known
        All names that could have been given.
    """
    near = nearest(value, known)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"unknown {what} {sentence(repr(value))}{hint} (known: {', '.join(known)})"


def nearest(value: str, known: Collection[str], cutoff: float = 0.4) -> str | None:
    """Return the name among ``known`` that looks most like ``value``, whatever the case of its letters, or None."""
    lower = {name.lower(): name for name in known}
    near = get_close_matches(value.lower(), lower, n=1, cutoff=cutoff)
    return lower[near[0]] if near else None

"""Streams: standard input, output and error that are closed, full or read by nobody cost a run its words, no more.

What a run found is on its page and in its exit code. Python ends with 1 where it cannot write what is left in a stream,
and pytest where nobody reads its output any more; of a gate that would say that the candidate lost.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import pytest

MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}  # in the order of their file descriptors


def fill_closed() -> None:
    """Put the null device in the place of each standard stream that is closed.

    The next file that is opened would have its number, and what a library prints would be written into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < len(MODES):
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, (name, mode) in enumerate(MODES.items()):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


class Lenient:
    """A stream to write to that drops its words from the first on that cannot be written.

    Parameters
    ----------
    stream
        Who takes them.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write words, or drop them."""
        try:
            return int(self._stream.write(text))
        except OSError:
            drop(self._stream)
            return len(text)

    def flush(self) -> None:
        """Write what is left, or drop it."""
        flush(self._stream)

    def __getattr__(self, name: str) -> Any:
        """Be what the stream is in all else."""
        return getattr(self._stream, name)


class Streams:
    """The hook that keeps pytest writing where nobody takes its words."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        config.add_cleanup(leave)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begin before the first line."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter._tw._file = Lenient(reporter._tw._file)


def leave() -> None:
    """Write what is left to standard output and error, so that it does not fail when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            flush(stream)


def flush(stream: Any) -> None:
    """Write what is left in a stream, or drop it and all that follows."""
    try:
        stream.flush()
    except OSError:
        drop(stream)


def drop(stream: Any) -> None:
    """Let what is written to a stream from now on, and what is left in it, go nowhere."""
    with suppress(OSError, ValueError):  # of one that has no descriptor
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
        stream.flush()

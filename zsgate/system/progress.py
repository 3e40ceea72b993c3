"""Progress: a live line for long steps on a terminal; nothing in a log."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def steps(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show ``what`` with a bar of ``total`` steps while the block runs; yield a function that advances it."""
    terminal = _terminal()
    if terminal is None:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with terminal, Progress(console=Console(file=terminal), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda n: progress.advance(task, n)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show for how long nothing has been heard of ``what``, which reports no progress, while the block runs."""
    terminal = _terminal()
    if terminal is None:
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}: nothing heard for"), TimeElapsedColumn())
    with terminal, Progress(*columns, console=Console(file=terminal), transient=True) as progress:
        progress.add_task(what, total=None)
        yield


def _terminal() -> TextIO | None:
    """Return the terminal this process was started from, or None in a log, a pipe or an xdist worker.

    pytest captures standard output and error at the level of the file descriptors, so neither leads to the terminal
    while a test runs.
    """
    if "PYTEST_XDIST_WORKER" in os.environ or "CI" in os.environ or os.environ.get("TERM", "dumb") == "dumb":
        return None
    try:
        return open("/dev/tty", "w", encoding="utf-8")  # noqa: PTH123 - closed by the caller
    except OSError:
        return None

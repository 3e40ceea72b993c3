"""A live line for long steps on a terminal; nothing in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def steps(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show ``what`` with a bar of ``total`` steps while the block runs; yield a function that advances it.

    pytest captures the standard streams, so the bar is drawn on the process's original standard error, and only
    if that is a terminal.
    """
    terminal = sys.__stderr__
    if terminal is None or not terminal.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=terminal), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda n: progress.advance(task, n)

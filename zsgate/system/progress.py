"""Progress: what a long step is at, said on a terminal by a line that goes again, and in a log every half minute.

A step says what it does and how far it is (:func:`steps`, :func:`waiting`, :func:`progress`); one thread of this
process shows the innermost step, with the time since it began and about how much is left. It writes to the standard
error that the process was started with: pytest puts a file in its place while a test runs (:func:`write_to`).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

FIRST, EVERY = 10.0, 25.0  # seconds until the first line in a log, and from one to the next: no half minute is silent
REDRAWN = 0.5  # seconds from one look of the line on a terminal to the next
LEAST = 1.0  # seconds before anything is drawn
# one line below the cursor is made free, written on, and left: what pytest writes after a test goes on where it was
DRAW, WIPE = "\x1bD\x1b[1A\x1b7\x1b[1B\r\x1b[2K{}\x1b8", "\x1b7\x1b[1B\r\x1b[2K\x1b8"
STANDARD_ERROR = 2
NARROW = 80  # columns of a terminal that does not say
BYTES = "bytes"  # the unit of downloads, shown in GB

T = TypeVar("T")


@dataclass(eq=False)
class Task:
    """A step that is going on.

    Attributes
    ----------
    what
        In words, who first: ``"cellama: embedding"``.
    total
        Number of what there is to do; None where nobody knows.
    unit
        What one of them is called: ``"epoch"``; ``"bytes"`` are shown in GB.
    done
        How many are done.
    began
        When, in seconds of :func:`time.monotonic`.
    background
        Whether it is named only where nothing inside of it is going on, as a test.
    paced
        From when on its pace is taken, and how many were done then: the first takes longer than others.
    """

    what: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    background: bool = False
    paced: tuple[float, int] = (0.0, 0)

    def words(self, now: float) -> str:
        """Return it as shown: how far it is, since when, and about how much time is left."""
        seconds = now - self.began
        amount = self.amount()
        parts = [f"{self.what}: {amount}" if amount else self.what, duration(seconds)]
        at, before = self.paced
        if self.done > before and self.total is not None and self.total > self.done:
            parts.append(f"about {duration((now - at) * (self.total - self.done) / (self.done - before))} left")
        return ", ".join(parts)

    def amount(self) -> str:
        """Return how far it is; empty where it does not say."""
        if self.total is None and not self.done:
            return ""
        if self.unit == BYTES:
            done, total = (None if n is None else f"{n / 1e9:.2f}" for n in (self.done, self.total))
            return f"{done} GB" if total is None else f"{done} of {total} GB"
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.unit} {self.done:,}{of}".strip()


class Board:
    """The steps of this process, outermost first, and the thread that shows them."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.stream = STANDARD_ERROR  # whatever that is then, or another file descriptor
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._drawn = False
        self._last = 0.0  # when a line was written
        self._left = -LEAST  # when a step ended

    @contextmanager
    def task(self, task: Task) -> Iterator[Task]:
        """Have a step shown while the block runs."""
        if not self.tasks and time.monotonic() - self._left > LEAST:  # others have spoken
            self._last = time.monotonic() - EVERY + FIRST
        self.tasks.append(task)
        self._start()
        try:
            yield task
        finally:
            with suppress(ValueError):
                self.tasks.remove(task)
            self._left = time.monotonic()
            self.wipe()

    def wipe(self) -> None:
        """Take the line from the terminal."""
        with self._lock:
            if self._drawn:
                self._write(WIPE)
                self._drawn = False

    def look(self) -> None:
        """Show what is going on, if it is time for that."""
        with self._lock, suppress(OSError):
            shown, now = tuple(self.tasks), time.monotonic()
            if not shown:
                return
            if self._on_a_terminal():
                if now - shown[0].began >= LEAST:
                    columns = os.get_terminal_size(self.stream).columns or NARROW
                    self._write(DRAW.format(_words(shown, now)[: columns - 1]))
                    self._drawn = True
            elif now - self._last >= EVERY:
                self._last = now
                apart = "\n" if any(task.background for task in shown) else ""  # pytest is within its line of results
                self._write(f"{apart}zsgate{_worker()}: {_words(shown, now)}\n")

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._watch, name="zsgate progress", daemon=True)
            with suppress(RuntimeError):  # where the system has no thread more: nothing is shown then
                self._thread.start()
        self._wake.set()

    def _watch(self) -> None:
        while self._wake.wait():
            time.sleep(min(REDRAWN, EVERY / 4))
            self.look()
            if not self.tasks:
                self._wake.clear()
                if self.tasks:  # begun meanwhile
                    self._wake.set()

    def _on_a_terminal(self) -> bool:
        """Return whether lines can be drawn and wiped: not in a job, nor by a worker beside others."""
        if os.environ.keys() & {"PYTEST_XDIST_WORKER", "CI"} or os.environ.get("TERM", "dumb") == "dumb":
            return False
        with suppress(OSError):
            return os.isatty(self.stream)
        return False

    def _write(self, text: str) -> None:
        with suppress(OSError):  # closed, or a pipe that nobody reads any more: no reason to end a run
            os.write(self.stream, text.encode(errors="replace"))


BOARD = Board()
if hasattr(os, "register_at_fork"):  # a forked process has the steps of the one it comes from, and no thread
    os.register_at_fork(after_in_child=BOARD.__init__)  # type: ignore[misc]


def write_to(stream: int = STANDARD_ERROR) -> None:
    """Write to a file descriptor from now on."""
    BOARD.stream = stream


@contextmanager
def steps(what: str, total: int | None, unit: str = "") -> Iterator[Callable[[int], None]]:
    """Show ``what`` while the block runs; yield a function that advances it.

    Parameters
    ----------
    what
        In words, who first: ``"scvi: training"``.
    total
        Number of steps; None where nobody knows.
    unit
        What one is called, as in "epoch 240 of 2,000".
    """
    with BOARD.task(Task(what, total, unit)) as task:

        def advance(n: int) -> None:
            if not task.done:
                task.paced = time.monotonic(), n
            task.done += n

        yield advance


@contextmanager
def waiting(what: str, *, background: bool = False) -> Iterator[None]:
    """Show for how long ``what`` takes, which reports nothing, while the block runs; bars of tqdm inside are read.

    In the ``background``, only where nothing inside of it is going on.
    """
    with BOARD.task(Task(what, background=background)):
        yield


def progress(items: Iterable[T], total: int | None = None, what: str = "batches") -> Iterator[T]:
    """Yield the items, called ``what``, and let the gate say how many of ``total`` are done: for a model of one's own.

    Without ``total`` the items are asked how many they are.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with steps(what, total) as advance:
        for item in items:
            yield item
            advance(1)


def duration(seconds: float) -> str:
    """Return a number of seconds in words: ``95 s``, ``12 min``, ``3.4 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _words(tasks: tuple[Task, ...], now: float) -> str:
    """Return the innermost step with how far it is, and what it is a part of."""
    inner = [task for task in tasks if not task.background] or list(tasks)
    inner += bars_of_tqdm(now - inner[-1].began)
    around = [f"{task.what} ({amount})" if (amount := task.amount()) else task.what for task in inner[-2:-1]]
    said = ": ".join([*around, inner[-1].words(now)])
    return "".join(letter if letter.isprintable() else " " for letter in said)


def bars_of_tqdm(seconds: float) -> list[Task]:
    """Return the bar of tqdm that was begun last, if that was at most so many seconds ago."""
    bars = getattr(getattr(sys.modules.get("tqdm.std"), "tqdm", None), "_instances", ())
    with suppress(Exception):  # of a package that is not ours, at work in another thread
        bar = max(bars, key=lambda bar: bar.start_t)
        age = time.time() - bar.start_t
        if age <= seconds:
            total, what = None if bar.total is None else int(bar.total), bar.desc.rstrip(": ") or "steps"
            began = time.monotonic() - age
            return [Task(what, total, "", int(bar.n), began, paced=(began, 0))]
    return []


def _worker() -> str:
    name = os.environ.get("PYTEST_XDIST_WORKER")
    return f" [{name}]" if name else ""

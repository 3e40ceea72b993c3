"""Processes: how those that compute beside this one are started, and that none of them is left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1  # of Linux's prctl.h
# what the system raises where it has no room, no semaphores (/dev/shm) or no leave for another process
NO_PROCESSES = (OSError, ImportError, NotImplementedError)


def start_pool(number: int, context: BaseContext | None = None) -> ProcessPoolExecutor:
    """Return so many processes, started as they are needed; they end when this one does, also when it is killed.

    Parameters
    ----------
    number
        How many at most.
    context
        How they are started; None starts new interpreters.

    Raises
    ------
    OSError, ImportError, NotImplementedError
        :data:`NO_PROCESSES`, if the system has no semaphores for them.
    """
    return ProcessPoolExecutor(number, mp_context=context or get_context("spawn"), initializer=_begin)


def end_pool(pool: ProcessPoolExecutor) -> None:
    """Kill the processes of a pool, whatever they are at, and wait until they are gone."""
    running = list((getattr(pool, "_processes", None) or {}).values())  # Python 3.14 has kill_workers() for this
    pool.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.kill()
    for process in running:
        process.join()


@contextmanager
def processes(number: int, context: BaseContext | None = None) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool; when the block ends they end, at once where it ends by an error or an interrupt.

    Parameters
    ----------
    number, context
        As :func:`start_pool` has them.
    """
    pool = start_pool(number, context)
    try:
        yield pool
        pool.shutdown(wait=True)
    finally:
        end_pool(pool)


def interrupt_at_sigterm(*, hand_on: bool = False) -> Callable[[], None]:
    """Take SIGTERM, which batch systems and CI send before they kill, for an interrupt; return what undoes that.

    Further ones change nothing: the run is ending already. A handler that somebody else has installed stays, and
    outside of the main thread, where Python takes none, nothing happens.

    Parameters
    ----------
    hand_on
        Send it to the processes that this one has started as well, as a terminal does with Ctrl-C. Linux only: workers
        of pytest-xdist, whom this is for, are told elsewhere too, but 5 s later.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return lambda: None
    signal.signal(signal.SIGTERM, _interrupt_all if hand_on else _interrupt)
    return _leave_sigterm


def end_with(parent: int) -> None:
    """Let Linux kill this process when its parent, of this id, ends; elsewhere this does nothing."""
    if sys.platform != "linux" or os.getppid() != parent:
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


def _leave_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def tell_children() -> None:
    """Send SIGTERM to the processes that this one has started; Linux only, elsewhere this does nothing."""
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                os.kill(int(child), signal.SIGTERM)


def kill_marked(variable: str, value: str) -> None:
    """Kill every process that was started with a variable of this value, in whatever group or session it is.

    A process that begins a session of its own, and whose parent ends, is found by nothing else. Linux only.
    """
    mark = f"{variable}={value}\0".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another account's
            if mark in (place / "environ").read_bytes():
                os.kill(int(place.name), signal.SIGKILL)


def _interrupt_all(number: int, frame: FrameType | None) -> None:
    tell_children()
    _interrupt(number, frame)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _begin() -> None:
    """Leave interrupts to the process that started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is None:
        return
    threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()
    end_with(os.getppid())  # that process, or the fork server between it and this one


def _watch(sentinel: int) -> None:
    """End this process when a pipe closes whose other end only its starter holds, be it forked by a fork server."""
    wait([sentinel])
    os._exit(1)


@contextmanager
def time_limit(seconds: float | None, what: str, error: type[BaseException] = TimeoutError) -> Iterator[None]:
    """Raise an error in what runs inside if it takes longer; a call that never comes back to Python is not ended.

    Parameters
    ----------
    seconds
        The limit; None sets none. Nor is there one outside of the main thread, or where the system has no timers.
    what
        What may not take longer, for the message.
    error
        What to raise.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not usable:
        yield
        return

    def end(_: int, __: FrameType | None) -> None:
        msg = f"{what} did not come to an end within {seconds:g} s (timeout)"
        raise error(msg)

    before, started = signal.signal(signal.SIGALRM, end), time.monotonic()
    others, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        left = max(others - (time.monotonic() - started), 0.001) if others else 0.0
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left)  # a limit of somebody else's around ours

"""Threads: computing side by side what leaves the interpreter's lock alone, as compiled loops do."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Group = TypeVar("Group")
_BESIDE: dict[str, int] = {}
AHEAD = 2  # groups whose calls may be waiting or running: what they need is in memory


def side_by_side(groups: Iterable[tuple[Group, Sequence[Callable[[], T]]]]) -> Iterator[tuple[Group, list[T]]]:
    """Yield each group with the results of its calls, in order; the next group is made while calls are running.

    With one thread everything is done in this one. An error or an interrupt waits for the calls that are running, and
    begins no more.

    Parameters
    ----------
    groups
        Anything, with calls that may run at the same time.
    """
    number = share()
    if number == 1:
        yield from ((group, [call() for call in calls]) for group, calls in groups)
        return
    pool = ThreadPoolExecutor(number)
    begun: deque[tuple[Group, list[Future[T]]]] = deque()
    try:
        for group, calls in groups:
            begun.append((group, [pool.submit(call) for call in calls]))
            if len(begun) > AHEAD:
                yield _ended(begun)
        while begun:
            yield _ended(begun)
    finally:
        pool.shutdown(cancel_futures=True)


def _ended(begun: deque[tuple[Group, list[Future[T]]]]) -> tuple[Group, list[T]]:
    group, futures = begun.popleft()
    return group, [future.result() for future in futures]


def share() -> int:
    """Return how many threads this process may have: the cores of this machine, less those of processes beside it."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores // (_BESIDE.get("number") or int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))))


def divide(number: int) -> None:
    """Note that this process is one of so many that share the cores of this machine."""
    _BESIDE["number"] = number

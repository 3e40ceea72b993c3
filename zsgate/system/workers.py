"""Workers: processes that compute side by side, while a run allows them.

They are for work that holds the interpreter's lock, which threads would not speed up. Outside of a run that allows them
everything is done in this process: starting processes from a user's script would run that script again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from zsgate.system.processes import NO_PROCESSES, end_pool, start_pool

T = TypeVar("T")


class Workers:
    """Processes, started when they are first needed.

    Attributes
    ----------
    number
        How many are allowed; with one, as at first, everything is done in this process.
    """

    def __init__(self) -> None:
        self.number = 1
        self._pool: ProcessPoolExecutor | None = None

    def starmap(self, function: Callable[..., T], jobs: Iterable[tuple[Any, ...]]) -> list[T]:
        """Return the function of each job's arguments, in order; the next job is made while others are worked on.

        If a worker dies, or none can be started, the jobs that have no result yet are done in this process, and so are
        all later ones.

        Parameters
        ----------
        function
            Of a module, so that it can be pickled, and so can its arguments and its result.
        jobs
            The arguments of each call.
        """
        begun = [(job, self._submit(function, job)) for job in jobs]
        return [self._result(future, function, job) for job, future in begun]

    @property
    def started(self) -> bool:
        """Whether there are processes."""
        return self._pool is not None

    def close(self) -> None:
        """End the processes, whatever they are at, and allow no more."""
        self.number = 1
        if self._pool is not None:
            end_pool(self._pool)
            self._pool = None

    def _submit(self, function: Callable[..., T], job: tuple[Any, ...]) -> Future[T]:
        if self.number > 1:
            try:
                if self._pool is None:
                    self._pool = start_pool(self.number)
                return self._pool.submit(function, *job)
            except (BrokenProcessPool, *NO_PROCESSES):
                self.close()
        done: Future[T] = Future()
        done.set_result(function(*job))
        return done

    def _result(self, future: Future[T], function: Callable[..., T], job: tuple[Any, ...]) -> T:
        try:
            return future.result()
        except (BrokenProcessPool, CancelledError):
            self.close()
            return function(*job)


WORKERS = Workers()


def share(n_processes: int) -> int:
    """Return how many workers each of ``n_processes`` may have, so that together they use the cores of this machine."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores // n_processes)

"""Executors: who does units of work beside this process, on this machine or elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from zsgate.errors import MachineFailed, UsageProblem
from zsgate.system.parallel.threads import divide
from zsgate.system.processes import NO_PROCESSES, end_pool, start_pool

HERE = "local:"
TRIES = 3  # processes that one unit may take down before it is given up
T = TypeVar("T")


class Processes(ThreadPoolExecutor):
    """Processes of this machine, each followed by a thread: one that ends takes no unit with it but its own.

    A unit whose process ended is done again by a new one. The threads only wait.

    Parameters
    ----------
    number
        Of processes.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number, thread_name_prefix="zsgate process")
        self.number = number
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._is_over = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a process call a function, both of which can be pickled."""
        return super().submit(self._done, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, at once where nobody waits."""
        if not wait:
            self._is_over = True
            self._end()
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._end()

    def _done(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        thread = threading.get_ident()
        for left in reversed(range(TRIES)):
            pool = self._pools.get(thread) or self._pools.setdefault(thread, start_pool(1))
            try:
                done: T = pool.submit(_share_of, self.number, fn, *args, **kwargs).result()
                return done
            except BrokenProcessPool:
                if (broken := self._pools.pop(thread, None)) is not None:
                    end_pool(broken)
                if self._is_over or not left:
                    raise
        raise AssertionError  # the last try returns or raises

    def _end(self) -> None:
        while self._pools:
            end_pool(self._pools.popitem()[1])


def _share_of(number: int, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function with as many threads as are this process's, one of so many."""
    divide(number)
    return fn(*args, **kwargs)


@contextmanager
def executor(address: str, at_end: Callable[[], object]) -> Iterator[Executor]:
    """Yield who does units of work, and leave it as it was.

    Parameters
    ----------
    address
        ``local:N`` for N processes of this machine, which end, else that of a Dask scheduler.
    at_end
        What each process that goes on afterwards is to do; it can be pickled.

    Raises
    ------
    UsageProblem
        If there is none of that address.
    """
    if not address.startswith(HERE):
        from zsgate.system.parallel.cluster import connected

        with connected(address, at_end) as elsewhere:
            yield elsewhere
        return
    number = address.removeprefix(HERE)
    if not number.isdecimal() or not int(number):
        msg = f"--cluster {address}: give a number of processes, as in {HERE}4"
        raise UsageProblem(msg)
    here = Processes(int(number))
    try:
        yield here
    except NO_PROCESSES as error:
        msg = f"--cluster {address}: no processes can be started here ({error}); leave it out"
        raise MachineFailed(msg) from error
    finally:
        here.shutdown(wait=False, cancel_futures=True)

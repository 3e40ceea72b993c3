"""Cluster: the workers of a Dask scheduler as an executor of Python's own kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from zsgate.errors import UsageProblem
from zsgate.system.progress import waiting

CONNECT, WORKERS = 10, 600  # seconds to wait for the scheduler, and for its first worker: batch systems queue
RETRIES = 2  # times that a unit is given to another worker after an error of the cluster's


@contextmanager
def connected(address: str, at_end: Callable[[], object]) -> Iterator[Executor]:
    """Yield an executor whose workers are a scheduler's; one that is lost takes no unit with it but its own.

    Parameters
    ----------
    address
        Of the scheduler: ``tcp://host:8786``.
    at_end
        What each worker is to do when the block ends; it can be pickled.

    Raises
    ------
    UsageProblem
        If Dask is not installed, the scheduler does not answer, or it has no worker.
    """
    if find_spec("distributed") is None:
        msg = f"--cluster {address} needs a package that is not installed: pip install 'zsgate[cluster]'"
        raise UsageProblem(msg)
    from distributed import Client

    try:
        client: Any = Client(address, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        msg = f"--cluster {address}: no Dask scheduler answers there ({error or type(error).__name__})"
        raise UsageProblem(msg) from None
    with client:
        try:
            with waiting(f"{address}: waiting for a worker"):
                client.wait_for_workers(1, timeout=WORKERS)
        except TimeoutError:
            msg = f"--cluster {address}: its scheduler has no worker after {WORKERS // 60} minutes"
            raise UsageProblem(msg) from None
        try:
            yield client.get_executor(pure=False, retries=RETRIES)
        finally:
            with suppress(Exception):  # of a cluster that is gone; nothing of the run depends on it
                client.run(at_end)

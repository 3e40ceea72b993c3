"""Ahead: what a run says of what is to come and of what it is at."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator

import pytest

from zsgate.plugin.collection import is_of_gate
from zsgate.system import progress


class Ahead:
    """The hooks, on every process that runs tests, that say what it is at."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Name the test that is going on, where nothing inside of it says more."""
        if not is_of_gate(item.nodeid):
            return (yield)
        with progress.waiting(item.nodeid.rpartition("::")[2], background=True):
            return (yield)


def speak_on(stream: int | None) -> Callable[[], None]:
    """Write progress to a file descriptor, which is ours from now on; return what closes it."""
    if stream is None:
        return lambda: None
    progress.write_to(stream)

    def close() -> None:
        progress.write_to()
        os.close(stream)

    return close

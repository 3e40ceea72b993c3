"""A limit of time ends what never ends by itself."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from zsgate.system.processes import time_limit


def test_what_takes_too_long_is_ended():
    """The sentence says what and how long; nothing is left ticking."""
    with (
        pytest.raises(TimeoutError, match=r"embedding 5 cells did not come to an end within 0.1 s \(timeout\)"),
        time_limit(0.1, "embedding 5 cells"),
    ):
        time.sleep(30)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_is_fast_enough_is_left_alone():
    """So is everything without a limit, and in other threads, which no timer reaches."""
    for limit in (5, None):
        with time_limit(limit, "this"):
            pass
    ended = []

    def other() -> None:
        with time_limit(0.01, "this"):
            time.sleep(0.05)
        ended.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert ended == [True]


def test_a_limit_around_it_still_counts():
    """That of pytest-timeout, say: what is left of it is set again."""
    told = []
    before = signal.signal(signal.SIGALRM, lambda *_: told.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with time_limit(5, "this"):
            time.sleep(0.05)
        time.sleep(0.3)
        assert told == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

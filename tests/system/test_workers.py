"""Processes side by side change no result, survive a death among them, and are started only when a run allows them."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from zsgate.metrics import avg_bio
from zsgate.metrics.cache import forget
from zsgate.metrics.embedding import shared
from zsgate.models.embedding import Embedding
from zsgate.system.workers import WORKERS, Workers, share


@pytest.fixture
def two():
    workers = Workers()
    workers.number = 2
    yield workers
    workers.close()


def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def square_or_die(number: int, parent: int) -> int:
    if number == 2 and os.getpid() != parent:
        os._exit(1)
    return number**2


def sleep_or_fail(seconds: float, _: bytes) -> float:
    if seconds < 0:
        return fail(int(-seconds))
    time.sleep(seconds)
    return seconds


def fail(number: int) -> int:
    msg = f"no {number}"
    raise ValueError(msg)


def test_results_come_in_order_from_other_processes(two):
    """Five jobs for two workers; none is done in this process."""
    found = two.starmap(square, ((number,) for number in range(5)))
    assert [value for value, _ in found] == [0, 1, 4, 9, 16]
    assert os.getpid() not in {process for _, process in found}


def test_without_leave_everything_is_done_here():
    """A script that imports zsgate starts no process, which would run the script again."""
    assert WORKERS.number == 1
    assert Workers().starmap(square, [(3,)]) == [(9, os.getpid())]


def test_a_death_costs_time_and_no_result(two):
    """A worker that is killed takes the others with it; what they owed is computed here."""
    assert two.starmap(square_or_die, [(number, os.getpid()) for number in range(6)]) == [0, 1, 4, 9, 16, 25]
    assert two.number == 1
    assert two.starmap(square, [(3,)]) == [(9, os.getpid())]


def test_what_a_job_raises_is_raised_here(two):
    """With the words of the job."""
    with pytest.raises(ValueError, match="no 7"):
        two.starmap(fail, [(7,)])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ImportError("no semaphores")])
def test_without_processes_everything_is_done_here(two, monkeypatch, error):
    """No /dev/shm, no semaphores, no more processes: the result is the same."""

    def refused(*_, **__):
        raise error

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refused)
    assert two.starmap(square, [(number,) for number in range(3)]) == [(n**2, os.getpid()) for n in range(3)]
    assert not two.started


def test_closing_waits_for_nobody(two):
    """A run that is interrupted does not wait for what its workers are at, nor for large jobs in the queue."""
    two.starmap(square, [(1,), (2,)])
    with pytest.raises(ValueError, match="no 7"):  # as an interrupt would, while others are at work
        two.starmap(sleep_or_fail, [(-7.0, b""), *[(60.0, bytes(1 << 20))] * 3])
    began = time.monotonic()
    two.close()
    assert time.monotonic() - began < 5


def test_cores_are_shared_among_processes():
    """At least one for each."""
    assert share(1) >= share(2) >= share(10**6) == 1


def test_scores_are_the_same_side_by_side(pancreas, two, monkeypatch):
    """Values, leave-outs and halves of real cells, to the last bit."""
    rows = np.log1p(pancreas.counts[:, :40].toarray())
    alone = avg_bio(Embedding.of(rows), pancreas, seeds=2)
    forget()
    monkeypatch.setattr(shared, "WORKERS", two)
    assert avg_bio(Embedding.of(rows), pancreas, seeds=2) == alone
    assert two.started


def test_many_cells_are_clustered_one_after_the_other(pancreas, two, monkeypatch):
    """Each process would hold a graph of all of them."""
    monkeypatch.setattr(shared, "WORKERS", two)
    monkeypatch.setattr(shared, "SIDE_BY_SIDE", range(10, pancreas.n_cells))
    rows = np.log1p(pancreas.counts[:, :20].toarray())
    assert avg_bio(Embedding.of(rows), replace(pancreas, donors=None), seeds=1).value > 0
    assert not two.started

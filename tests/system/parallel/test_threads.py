"""Threads side by side change no result, keep the order, and begin nothing more after an error."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest

from zsgate.metrics import avg_bio
from zsgate.metrics.cache import forget
from zsgate.models.embedding import Embedding
from zsgate.system.parallel import threads
from zsgate.system.parallel.threads import share, side_by_side


@pytest.fixture(params=[1, 3])
def number(request, monkeypatch):
    """Return the number of threads."""
    monkeypatch.setattr(threads, "share", lambda: request.param)
    return request.param


def fail():
    msg = "no 7"
    raise ValueError(msg)


def test_groups_come_in_order_with_their_results(number):
    """Each group's results are those of its calls, in order, also of a group without any."""
    groups = [(size, [partial(pow, base, 2) for base in range(size)]) for size in (3, 0, 9, 1, 4)]
    assert list(side_by_side(iter(groups))) == [(size, [call() for call in calls]) for size, calls in groups]


def test_calls_run_at_the_same_time(monkeypatch):
    """Each of two waits for the other, in threads that are not this one; with one thread all is done in this one."""
    here = threading.get_ident()
    for n in (2, 1):
        monkeypatch.setattr(threads, "share", lambda n=n: n)
        meeting = threading.Barrier(n)

        def meet(meeting=meeting):
            meeting.wait(timeout=30)
            return threading.get_ident()

        ((_, who),) = side_by_side([("both", [meet] * n)])
        assert len(set(who)) == n
        assert (here in who) == (n == 1)


def test_no_more_than_three_groups_are_in_memory(number):
    """The next group is made when the first one's results are there, not all at once."""
    made, seen = [], []
    groups = ((made.append(step) or step, [partial(int, step)]) for step in range(20))
    for step, _ in side_by_side(groups):
        seen.append(len(made) - step)
    assert max(seen) <= threads.AHEAD + 1


def test_what_a_call_raises_is_raised_here(number):
    """With its words; what has not begun is not done, and no thread is left."""
    before, done = threading.active_count(), []
    calls = [fail, *[partial(done.append, step) for step in range(1000)]]
    with pytest.raises(ValueError, match="no 7"):
        list(side_by_side([("group", calls), ("never reached", [fail])] if number == 1 else [("group", calls)]))
    assert len(done) < 1000 or number > 1
    assert threading.active_count() == before


def test_cores_are_shared_among_test_workers(monkeypatch):
    """At least one for each."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    alone = share()
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
    assert share() == max(1, alone // 2)
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "1000000")
    assert share() == 1


def test_scores_are_the_same_side_by_side(pancreas, monkeypatch):
    """Values, leave-outs and halves of real cells, to the last bit."""
    rows, found = np.log1p(pancreas.counts[:, :40].toarray()), []
    for number in (1, 4):
        forget()
        monkeypatch.setattr(threads, "share", lambda number=number: number)
        found.append(avg_bio(Embedding.of(rows), pancreas, seeds=2))
    assert found[0] == found[1]

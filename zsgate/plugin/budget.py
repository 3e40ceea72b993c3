"""Budget: the time that a run may take, what comes first in it, and where it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

from zsgate.baselines import RECONSTRUCTION_BASELINES
from zsgate.plugin.ahead import asked_by
from zsgate.plugin.collection import DUE, asked, is_of_gate
from zsgate.run.run import Run

LEFT = "zsgate_left"  # what a worker is told: seconds that are left
OVER = "zsgate_over"  # what it tells at its end: whether it was out of time
# baselines that are made in seconds come first, then twins, each as dear as the candidate; others follow
CHEAP, TWINS = ("", "hvg", "pca", *RECONSTRUCTION_BASELINES), ("random_init",)


class OutOfTime(KeyboardInterrupt):
    """Ends what goes on before the first test, as Ctrl-C would: the time of the run is up."""


class Budget:
    """The hooks, on every process that runs tests, that end a run when its time is up.

    Tests that decide come first, those against cheap baselines before the others: a loss is known as early as can be.
    No test is begun when the time is up, nor one of which is measured that it takes longer than what is left. The test
    that is going on then is interrupted. What was computed is kept.

    Parameters
    ----------
    run
        The run.
    config
        pytest's configuration.
    seconds
        That are left from now on.

    Attributes
    ----------
    is_over
        Whether a test was left out, or interrupted, for want of time.
    """

    def __init__(self, run: Run, config: pytest.Config, seconds: float) -> None:
        self.run = run
        self.config = config
        self.ends = time.monotonic() + seconds
        self.is_over = False
        self._is_testing, self._is_rung = False, False
        self._ends_test = False  # whether an interrupt is the alarm's: anybody else's ends the run

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends - time.monotonic()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker how much time is left."""
        node.workerinput[LEFT] = self.left

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear whether a worker was out of time."""
        self.is_over = self.is_over or getattr(node, "workeroutput", {}).get(OVER, False)

    def pytest_sessionfinish(self) -> None:
        """Say, on a worker, whether it was out of time."""
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[OVER] = self.is_over

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Put the gate's tests in the order in which they tell most, those of others behind them."""
        session.items.sort(key=self._rank)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Set the alarm."""
        alarm = threading.Timer(max(0.0, self.left), self._ring)
        alarm.daemon = True
        alarm.start()
        before = signal.getsignal(signal.SIGINT)
        if before is signal.SIG_IGN:  # as a shell has it of what it runs in the background
            signal.signal(signal.SIGINT, self._interrupted)
        try:
            return (yield)
        finally:
            alarm.cancel()
            signal.signal(signal.SIGINT, before)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """End a test that the alarm interrupts as if it had not been begun: it says nothing."""
        try:
            return (yield)
        except KeyboardInterrupt:
            if not self._ends_test:
                raise
            self._ends_test, self.is_over = False, True
            item.session._setupstate.teardown_exact(None)
            return True
        finally:
            self._is_testing = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Know that a test is going on, which the alarm interrupts."""
        self._is_testing = is_of_gate(item.nodeid)
        yield
        self._is_testing = False

    def has_turn(self, nodeid: str) -> bool:
        """Return whether a test can be begun: of what it needs, what this machine has measured is not too long."""
        if not is_of_gate(nodeid):
            return True
        has_turn = self.left > 0 and not self._is_rung and self._seconds(nodeid) <= self.left
        self.is_over = self.is_over or not has_turn
        return has_turn

    def _seconds(self, nodeid: str) -> float:
        """Return how long a test takes, as far as this machine has measured what it needs and the store lacks."""
        from zsgate.run.before import plan

        steps = plan.make(self.run, [asked_by(nodeid, self.run)], scores=False).ahead
        return sum(step.seconds or 0.0 for step in steps if step.measured)

    def _rank(self, item: pytest.Item) -> tuple[bool, bool, int, int]:
        given, datasets = asked(item), list(self.run.sources)
        baseline = given.get("baseline", "")
        dear = 0 if baseline in CHEAP else 1 if baseline in TWINS else 2
        due: dict[str, None] = self.config.stash.get(DUE, {})
        place = datasets.index(given["dataset"]) if given.get("dataset") in datasets else 0
        return not is_of_gate(item.nodeid), item.nodeid not in due, dear, place

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        if self._ends_test:
            raise KeyboardInterrupt

    def _ring(self) -> None:
        """End what is going on, as Ctrl-C would."""
        self._is_rung = True
        if self._is_testing:
            self._ends_test = True
            os.kill(os.getpid(), signal.SIGINT)


class Turns:
    """The hook that passes over a test for which there is no time.

    Parameters
    ----------
    budget
        The time of the run.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Return True in the place of running a test."""
        return None if self.budget.has_turn(item.nodeid) else True

"""Ahead: what a run says of what is to come, and of the test that it is at."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import pytest

from zsgate.metrics import EVERY
from zsgate.plugin.collection import is_of_gate
from zsgate.plugin.results import Results
from zsgate.plugin.workers.scheduling import parameters
from zsgate.run.before.steps import Asked, Plan
from zsgate.run.changed.held import STEP
from zsgate.run.checks.controls import COPIES, DEAD, KNOWN
from zsgate.run.run import Run
from zsgate.system import progress

PLANNING = pytest.StashKey[bool]()  # whether --plan asks for nothing but that
CONTROLS = frozenset(each.name for each in (*KNOWN, *COPIES, *(one for some in DEAD.values() for one in some)))


class Busy:
    """The hooks, on every process that runs tests, that say what it is at."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Name the test that is going on, where nothing inside of it says more."""
        if not is_of_gate(item.nodeid):
            return (yield)
        with progress.waiting(item.nodeid.rpartition("::")[2], background=True):
            return (yield)


class Ahead:
    """The hooks of the controller that say what a run will take, and learn from what it took.

    Parameters
    ----------
    run
        The run.
    results
        Holds what took time.
    config
        pytest's configuration.
    """

    def __init__(self, run: Run, results: Results, config: pytest.Config) -> None:
        self.run = run
        self.results = results
        self.config = config
        self.plan: Plan | None = None
        self.seconds, self.ended = 0.0, 0  # that tests took, and how many came to an end

    @property
    def only_plans(self) -> bool:
        """Whether ``--plan`` was typed."""
        return self.config.stash.get(PLANNING, False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Let nobody list the tests where the plan will be shown."""
        if self.only_plans:
            self.config.option.collectonly = False

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> list[str]:
        """Say in three lines what is ahead, where that is long."""
        if self.config.option.collectonly or self.only_plans or not items:
            return []
        return self._brief(item.nodeid for item in items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Say it where the tests run on workers, the first time that one knows them."""
        writer = self.config.pluginmanager.get_plugin("terminalreporter")
        if self.plan is None and writer is not None:
            for line in self._brief(iter(ids)):
                writer.write_line(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Show the plan in the place of running what is planned."""
        if not self.only_plans:
            return None
        from zsgate.run.before import words

        self.config.option.collectonly = True
        ids = [item.nodeid for item in session.items if is_of_gate(item.nodeid)]
        writer = self.config.pluginmanager.get_plugin("terminalreporter")
        if ids and writer is not None:
            found = self._plan(ids, scores=True)
            for line in words.whole(found, ids if self.config.option.verbose > 0 else ()):
                writer.write_line(line)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what tests take."""
        if is_of_gate(report.nodeid):
            self.seconds += report.duration
            self.ended += report.when == "teardown"

    def pytest_sessionfinish(self) -> None:
        """Learn from what was made how long it takes here."""
        from zsgate.run.before.rates import Rates

        if self.plan is not None and not self.config.option.collectonly:
            Rates(self.run.ledger.lasting.folder, self.run.config.gpu).learn(self._measured(self.plan))

    def _brief(self, ids: Iterator[str]) -> list[str]:
        """Make the plan, without a look at every score, and return what is said of it unasked."""
        from zsgate.run.before import words

        try:
            self.plan = self._plan(filter(is_of_gate, ids), scores=False)
        except Exception as error:  # a forecast is no reason to end a run, which says itself what is wrong
            return [f"zsgate: how long this takes is not known ({type(error).__name__}: {error})"]
        return words.brief(self.plan, self.run.config.budget)

    def _plan(self, ids: Iterable[str], *, scores: bool) -> Plan:
        from zsgate.run.before import plan  # not on workers, which plan nothing

        return plan.make(self.run, [asked_by(each, self.run) for each in ids], scores=scores)

    def _measured(self, made: Plan) -> Iterator[tuple[str, float, float]]:
        """Yield (step, units, seconds) of what this run has made; what its tests took beside that are scores.

        That is known of a whole run in one process: on workers one waits for what another makes.
        """
        planned = {(step.what, step.dataset): step for step in made.steps}
        rest = self.seconds
        for timing in self.results.timings:
            step = planned.get((timing.what, timing.dataset or ""))
            if timing.cached or timing.seconds is None:
                continue
            rest -= timing.seconds
            # many calls for a few cells each, and the import of Hypothesis, say nothing of a cell among many
            if step is not None and step.units is not None and step.what != STEP:
                yield step.rate, step.units, timing.seconds
        if self.ended < len(made.asked) or self.config.getoption("tx", None):
            return
        scores = [step.units for step in made.ahead if step.rate == "score" and step.units is not None]
        yield "score", sum(scores), rest


def asked_by(nodeid: str, run: Run) -> Asked:
    """Return what a test asks for, by its node id: those of tests on workers are all that is known of them."""
    suite = nodeid.partition("::")[0].removeprefix("test_").removesuffix(".py")
    dataset, rest = parameters(nodeid, tuple(run.sources))
    parts = rest.split("-") if rest else []
    metric = parts.pop() if parts and parts[-1] in EVERY else ""
    control = parts.pop(0) if suite == "controls" and parts and parts[0] in CONTROLS else ""
    return Asked(suite, dataset, control, "-".join(parts), metric)


def speak_on(stream: int | None) -> Callable[[], None]:
    """Write progress to a file descriptor, which is ours from now on; return what closes it."""
    if stream is None:
        return lambda: None
    progress.write_to(stream)

    def close() -> None:
        progress.write_to()
        os.close(stream)

    return close

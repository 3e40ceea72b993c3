"""Cluster: processes here or elsewhere do what tests will ask for, before these begin (``--cluster``)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pytest

from zsgate.plugin.ahead import asked_by
from zsgate.plugin.budget import Budget
from zsgate.plugin.collection import is_of_gate
from zsgate.report.record import TimingRecord
from zsgate.run.before.units.crew import Crew
from zsgate.run.before.units.worker import Setting, identity, leave
from zsgate.run.run import Run
from zsgate.system.parallel.executor import executor

MOST_SHOWN = 3  # reasons why units were not done


class Cluster:
    """The hooks that have others do the units of a run.

    Parameters
    ----------
    run
        The run.
    name
        Identity of the run, by which its processes find what it keeps.

    Raises
    ------
    UsageProblem
        If nobody can be reached, or can do anything for this run.
    """

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.held = ExitStack()
        where = self.held.enter_context(executor(run.config.cluster or "", leave))
        config = replace(run.config, cache=run.ledger.lasting.folder)
        self.crew = Crew(run, Setting(config, run.folder, name, identity()), where)
        try:
            self.crew.greet()
        except BaseException:
            self.held.close()
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Have the units done that the selected tests need; let the tests begin when they are."""
        crew, plugins = self.crew, session.config.pluginmanager.get_plugins()
        left = min((each.left for each in plugins if isinstance(each, Budget)), default=None)
        try:
            crew.carry_out([asked_by(item.nodeid, self.run) for item in session.items if is_of_gate(item.nodeid)], left)
        except Exception as error:  # the boundary to processes elsewhere: what they have not done the tests will do
            crew.failed[f"{type(error).__name__}: {error}"] = None
        finally:
            self.held.close()
        timings = self.run.ledger.timings
        timings += [
            TimingRecord(what=f"units: {step} {who}", dataset=dataset, seconds=round(seconds, 3))
            for (step, who, dataset), seconds in crew.seconds.items()
        ]
        self._say(session)
        return (yield)

    def _say(self, session: pytest.Session) -> None:
        writer = session.config.pluginmanager.get_plugin("terminalreporter")
        if writer is None:
            return
        writer.write_line(f"zsgate: {self.run.config.cluster}: {self.crew.done} units of work done")
        shown: Sequence[str] = list(self.crew.failed)
        for words in shown[:MOST_SHOWN]:
            writer.write_line(f"zsgate: not done by a worker, so the tests will do it: {words}")
        if len(shown) > MOST_SHOWN:
            writer.write_line(f"zsgate: and {len(shown) - MOST_SHOWN} more")

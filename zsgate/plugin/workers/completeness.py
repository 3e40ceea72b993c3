"""Completeness: no result may be missing without the run saying so.

Under pytest-xdist an exception in a hook on a worker can end a run with exit code 0 and tests that never ran
(pytest-dev/pytest-xdist#1017). The controller therefore counts what was planned and what came back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pytest

from zsgate.plugin.collection import DUE, is_of_gate

SIGNED = "zsgate_due"  # what a worker hands over at a clean end: the node ids of all tests that decide
CRASHED = "???"  # what pytest-xdist says of a test whose worker died in it


class Completeness:
    """Knows what was planned and what went wrong beside tests; on a worker, signs off a clean end.

    Parameters
    ----------
    config
        pytest's configuration.
    run
        Identity of the run, handed to every worker.

    Attributes
    ----------
    planned
        Node ids of the gate's tests that were to run, in order.
    due
        Node ids of all tests that decide the run, selected or not.
    faults
        What went wrong beside tests, each in one sentence.
    """

    def __init__(self, config: pytest.Config, run: str) -> None:
        self.config = config
        self.run = run
        self.planned: dict[str, None] = {}
        self.due: dict[str, None] = {}
        self.faults: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Plan what this process will run itself."""
        self._plan(item.nodeid for item in session.items)
        due: dict[str, None] = self.config.stash.get(DUE, {})
        self.due.update(due)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Plan what the workers will run."""
        self._plan(ids)

    def _plan(self, ids: Iterable[str]) -> None:
        self.planned.update(dict.fromkeys(filter(is_of_gate, ids)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test whose worker crashed."""
        if report.when == CRASHED:
            self.faults.append(str(report.longrepr))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Note an error that was no test's."""
        self.faults.append(f"internal error: {str(excrepr).strip().splitlines()[-1]}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker which run it belongs to."""
        node.workerinput["zsgate_run"] = self.run

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Note a worker that did not end cleanly, and what one that did says of the tests that make sense."""
        due = getattr(node, "workeroutput", {}).get(SIGNED)
        if due is None:
            self.faults.append(f"worker {node.gateway.id} did not end cleanly")
        else:
            self.due.update(dict.fromkeys(due))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """Sign off on a worker, after every other hook went well and before xdist sends the worker's output."""
        yield
        if hasattr(self.config, "workerinput"):
            self.config.workeroutput[SIGNED] = list(self.due)  # type: ignore[attr-defined]

"""Guard: no result may be missing without the run saying so.

Under pytest-xdist an exception in a hook on a worker can end a run with exit code 0 and tests that never ran
(pytest-dev/pytest-xdist#1017). The controller therefore counts what was planned and what came back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pytest

DONE = "zsgate_done"
CRASHED = "???"  # what pytest-xdist says of a test whose worker died in it


class Guard:
    """Counts tests planned and finished on the controller; on a worker, signs off a clean end.

    Parameters
    ----------
    config
        pytest's configuration.
    run
        Identity of the run, handed to every worker.
    """

    def __init__(self, config: pytest.Config, run: str) -> None:
        self.config = config
        self.run = run
        self.planned: dict[str, None] = {}
        self.finished: set[str] = set()
        self.broken: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Plan what this process will run itself."""
        self.planned.update(dict.fromkeys(item.nodeid for item in session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Plan what the workers will run."""
        self.planned.update(dict.fromkeys(ids))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tick off a test that ended, or whose worker crashed."""
        if report.when not in ("setup", "call"):
            self.finished.add(report.nodeid)
        if report.when == CRASHED:
            self.broken.append(str(report.longrepr))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Note an error that was no test's."""
        self.broken.append(f"internal error: {str(excrepr).strip().splitlines()[-1]}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker which run it belongs to."""
        node.workerinput["zsgate_run"] = self.run

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Note a worker that did not end cleanly."""
        if not getattr(node, "workeroutput", {}).get(DONE):
            self.broken.append(f"worker {node.gateway.id} did not end cleanly")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """Sign off on a worker, after every other hook went well and before xdist sends the worker's output."""
        yield
        if hasattr(self.config, "workerinput"):
            self.config.workeroutput[DONE] = True  # type: ignore[attr-defined]

    def complaints(self, session: pytest.Session) -> list[str]:
        """Return why the results cannot be trusted to be complete; nothing if the user stopped the run."""
        if self.config.option.collectonly or session.exitstatus == pytest.ExitCode.INTERRUPTED:
            return []
        missing = [nodeid for nodeid in self.planned if nodeid not in self.finished]
        if not missing or self.has_enough(session):
            return self.broken
        return [*self.broken, f"{len(missing)} of {len(self.planned)} planned tests gave no result: {missing[0]}"]

    def has_enough(self, session: pytest.Session) -> bool:
        """Return whether ``-x`` or ``--maxfail`` ended the run, so that results are missing on purpose."""
        limit = self.config.getoption("maxfail")
        return bool(limit and session.testsfailed >= limit)

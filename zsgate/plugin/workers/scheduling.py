"""Which worker runs what: a dataset's tests stay together, so each worker reads as few datasets as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


class Scheduling:
    """Hands pytest-xdist a scheduler that groups the suites' tests; ``--dist`` other than ``load`` is obeyed.

    Tests are grouped by dataset; with fewer datasets than workers, by dataset and baseline.

    Parameters
    ----------
    datasets
        Names of the datasets.
    """

    def __init__(self, datasets: Sequence[str]) -> None:
        self.datasets = datasets

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Return our scheduler for ``--dist load``, the default of ``-n``."""
        if config.getvalue("dist") != "load":
            return None
        from xdist.scheduler import LoadScopeScheduling

        n_workers = len(config.getvalue("tx"))
        datasets = self.datasets

        class ByDataset(LoadScopeScheduling):  # type: ignore[misc]
            def _split_scope(self, nodeid: str) -> str:
                return scope(nodeid, datasets, n_workers)

            def _reschedule(self, node: Any) -> None:
                super()._reschedule(node)
                # the work of a crashed worker comes back with tests that it had done, and a worker begins its last test
                # once it knows that none follows: one that is given none, or a single one, would wait for ever
                while self._pending_of(self.assigned_work[node]) < 2 and not node.shutting_down:
                    super()._reschedule(node)

        return ByDataset(config, log)


def scope(nodeid: str, datasets: Sequence[str], n_workers: int) -> str:
    """Return the group of a test: its dataset, or dataset and first parameter, or its file if it is not ours."""
    name, rest = parameters(nodeid, datasets)
    if not name:
        return nodeid.partition("[")[0].rpartition("::")[0]
    return name if len(datasets) >= n_workers else f"{name}-{rest.partition('-')[0]}"


def parameters(nodeid: str, datasets: Sequence[str]) -> tuple[str, str]:
    """Return a test's dataset and its other parameters; two empty strings if it has no dataset.

    A dataset's name may hold hyphens, and pytest writes what is not ASCII in it as escape sequences.
    """
    given = nodeid.partition("[")[2].removesuffix("]") + "-"
    for name in sorted(datasets, key=len, reverse=True):
        for shown in (name, name.encode("unicode_escape").decode()):
            if given.startswith(f"{shown}-"):
                return name, given[len(shown) + 1 : -1]
    return "", ""

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

        return ByDataset(config, log)


def scope(nodeid: str, datasets: Sequence[str], n_workers: int) -> str:
    """Return the group of a test: its dataset, or dataset and first parameter, or its file if it is not ours."""
    path, bracket, params = nodeid.partition("[")
    name = next((name for name in sorted(datasets, key=len, reverse=True) if params.startswith(name)), None)
    if not bracket or name is None:
        return path.rpartition("::")[0]
    if len(datasets) >= n_workers:
        return name
    return f"{name}-{params[len(name) + 1 :].rstrip(']').partition('-')[0]}"

"""Devices: which GPU a worker of pytest-xdist has to itself."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import pytest

from zsgate.errors import UsageProblem

DEVICE = "zsgate_device"  # what a worker is told
VISIBLE = "CUDA_VISIBLE_DEVICES"


class Devices:
    """The hooks of the controller that give each worker a GPU: one that no other has, while there are enough.

    Parameters
    ----------
    names
        Of the GPUs that this run may use, as ``CUDA_VISIBLE_DEVICES`` has them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.users = Counter(dict.fromkeys(names, 0))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker, also one that stands in for another that has crashed, which GPU is its own."""
        name = min(self.users, key=self.users.__getitem__)
        self.users[name] += 1
        node.workerinput[DEVICE] = name

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take back the GPU of a worker that has ended."""
        self.users[node.workerinput[DEVICE]] -= 1

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        """Say it where workers have to share."""
        n_workers, n_devices = len(config.getoption("tx", None) or ()), len(self.users)
        if n_workers <= n_devices:
            return []
        return [f"zsgate: {n_workers} workers share {n_devices} GPU{'s'[: n_devices - 1]}: -n {n_devices} shares none"]


def usable(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the GPUs that a process with these variables may use."""
    import torch

    number = torch.cuda.device_count()
    named = [name.strip() for name in environment.get(VISIBLE, "").split(",") if name.strip()]
    return named[:number] if named else [str(place) for place in range(number)]


def take(given: Mapping[str, Any], environment: MutableMapping[str, str] = os.environ) -> None:
    """Let a worker see the GPU that is its own, and no other.

    Parameters
    ----------
    given
        What the controller told it.
    environment
        Variables of this process, which CUDA reads when it is first used.

    Raises
    ------
    UsageProblem
        If CUDA was used in this process already.
    """
    if DEVICE not in given:
        return
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        msg = (
            "a conftest or plugin uses CUDA before the gate starts, so a worker cannot be given a GPU of its own; let "
            "it begin later, or leave out -n"
        )
        raise UsageProblem(msg)
    environment[VISIBLE] = given[DEVICE]

"""A worker has a GPU to itself while there are enough, also one that stands in for another that has crashed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zsgate.errors import UsageProblem
from zsgate.plugin.workers.devices import DEVICE, VISIBLE, Devices, take, usable


def node():
    """Return what pytest-xdist hands to a hook, as far as it is read."""
    return SimpleNamespace(workerinput={})


@given(n_devices=st.integers(1, 8), n_workers=st.integers(1, 16), crashes=st.lists(st.integers(0, 15), max_size=20))
def test_nobody_shares_while_there_are_enough(n_devices, n_workers, crashes):
    """Workers are spread evenly, whichever of them crash and are replaced."""
    devices, workers = Devices([str(each) for each in range(n_devices)]), [node() for _ in range(n_workers)]
    for worker in workers:
        devices.pytest_configure_node(worker)
    for crashed in crashes:
        devices.pytest_testnodedown(workers.pop(crashed % n_workers))
        workers.append(node())
        devices.pytest_configure_node(workers[-1])
    held = [worker.workerinput[DEVICE] for worker in workers]
    users = [held.count(str(each)) for each in range(n_devices)]
    assert max(users) - min(users) <= 1 + len(crashes)
    if n_workers <= n_devices:
        assert max(users) == 1


def test_sharing_is_said():
    """Who starts more workers than there are GPUs is told how many share none."""
    config = SimpleNamespace(getoption=lambda *_: ["popen"] * 3)
    assert Devices(["0", "1", "2"]).pytest_report_header(config) == []
    assert Devices(["0", "1"]).pytest_report_header(config) == ["zsgate: 3 workers share 2 GPUs: -n 2 shares none"]
    assert Devices(["4"]).pytest_report_header(config) == ["zsgate: 3 workers share 1 GPU: -n 1 shares none"]


def test_only_gpus_of_this_process_are_given(monkeypatch):
    """Those that the variable names, by number or by identity; without it all of the machine."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert usable({}) == ["0", "1"]
    assert usable({VISIBLE: ""}) == ["0", "1"]
    assert usable({VISIBLE: "3, 5"}) == ["3", "5"]
    assert usable({VISIBLE: "GPU-8932f937,GPU-46681115,-1"}) == ["GPU-8932f937", "GPU-46681115"]


def test_a_worker_sees_its_own_alone(monkeypatch):
    """The variable is set before CUDA is used; where it is used already that would do nothing, and is refused."""
    variables = {VISIBLE: "3,5"}
    take({}, variables)
    assert variables == {VISIBLE: "3,5"}
    take({DEVICE: "5"}, variables)
    assert variables == {VISIBLE: "5"}
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(UsageProblem, match="before the gate starts"):
        take({DEVICE: "3"}, variables)

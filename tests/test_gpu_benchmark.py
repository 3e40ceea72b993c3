"""The script for a machine with a GPU runs here, every line of it, at tiny sizes."""

from __future__ import annotations

import time

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu_parts import Asked


@pytest.mark.slow
def test_every_part_runs_on_the_cpu(capsys):
    """Nothing fails; what needs a package that is not here says which."""
    gpu.main(["--device", "cpu", "--small"])
    table = capsys.readouterr().out.split("\n| ")[1:]
    rows = dict(
        line.strip("| \n").split(" | ", 1) for line in table if " | " in line and not line.startswith("the CPU")
    )
    assert rows.keys() == {part.what for part in gpu.PARTS if part.measure is not gpu.tests}
    assert not [came for came in rows.values() if came.startswith("failed")]
    assert "cells/s" in rows["scGPT"]


def test_a_part_that_fails_or_has_no_time_leaves_the_others(capsys):
    """Its row says so: the package that it needs, how it failed, or the seconds that are left."""

    def lacking(_):
        raise ModuleNotFoundError(name="nobody")

    def failing(_):
        msg = "out of luck\nand more"
        raise RuntimeError(msg)

    asked = Asked(torch.device("cpu"), False, time.monotonic() + 60)
    assert gpu.outcome(gpu.Part("a", 1, lacking), asked) == "not run: needs nobody"
    assert gpu.outcome(gpu.Part("b", 1, failing), asked) == "failed: RuntimeError: out of luck"
    assert gpu.outcome(gpu.Part("c", 99, failing), asked).startswith("not run: 6")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_what_runs():
    """It never measures a CPU in a GPU's place."""
    with pytest.raises(SystemExit, match="sees no CUDA device; --device cpu --small"):
        gpu.main([])

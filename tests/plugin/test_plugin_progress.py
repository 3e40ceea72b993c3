"""A run is never silent for long, whoever computes and wherever that is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from itertools import pairwise

import pytest

# sleeps in one call, says how far it is by tqdm, and does neither where it predicts nothing
MODEL = """
import time

import numpy as np

SECONDS = {seconds}


def rows(adata):
    return np.log1p(adata.X[:, :50].toarray())


class OneCall:
    independent_cells = False

    def embed(self, adata):
        time.sleep(SECONDS)
        return rows(adata)


class ByBatches(OneCall):
    def embed(self, adata):
        from zsgate import progress

        for _ in progress(range(10)):
            time.sleep(SECONDS / 10)
        return rows(adata)
"""
FASTER = """
from zsgate.system import progress

progress.FIRST, progress.EVERY, progress.REDRAWN = 0.5, 1.0, 0.1
"""


def gaps(project, model: str, seconds: float, *args: str, faster: bool = True) -> tuple[list[tuple[float, str]], float]:
    """Run the gate into a log and return (seconds, line) of what was written there, and the longest silence."""
    project.makepyfile(slow=MODEL.format(seconds=seconds))
    project.makeconftest(FASTER if faster else "")
    command = [sys.executable, "-m", "pytest", f"--model=slow:{model}", "--tier=quick", "--datasets=cells.h5ad"]
    command += [
        "--label=cell_type",
        "--donor=donor",
        "--batch=sample",
        "-k",
        "hvg and nmi",
        "-p",
        "no:hypothesispytest",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    with subprocess.Popen(
        [*command, *args],
        cwd=project.path,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        started, lines = time.monotonic(), []
        for line in running.stdout:
            lines.append((time.monotonic() - started, line.rstrip("\n")))
    assert running.returncode in (0, 1), lines
    times = [0.0, *(at for at, _ in lines)]
    return lines, max(after - before for before, after in pairwise(times))


@pytest.mark.slow
def test_a_slow_call_is_spoken_of(project):
    """In a log, from within a test whose output pytest captures: by a clock."""
    lines, _ = gaps(project, "OneCall", 4.0)
    said = [line for _, line in lines if re.fullmatch(r"zsgate: OneCall: embedding 240 cells, \d+ s", line)]
    assert 2 <= len(said) <= 6, lines


@pytest.mark.slow
def test_a_slow_loop_is_spoken_of(project):
    """From a worker, which names itself: by batches."""
    lines, _ = gaps(project, "ByBatches", 4.0, "-n", "1")
    pattern = r"zsgate \[gw0\]: ByBatches: embedding 240 cells: batches: \d of 10, \d s, about \d s left"
    assert 2 <= sum(re.fullmatch(pattern, line) is not None for _, line in lines) <= 6, lines


@pytest.mark.slow
@pytest.mark.parametrize("model", ["OneCall", "ByBatches"])
@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["here", "workers"])
def test_a_log_has_no_gap_of_half_a_minute(project, model, args):
    """A model of a minute and a half, with the usual times."""
    lines, longest = gaps(project, model, 90.0, *args, faster=False)
    assert longest < 35, lines

"""Progress is drawn on a terminal and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from zsgate.system.progress import steps

LONG = """
from zsgate.system.progress import steps

with steps("embedding", 3) as advance:
    for _ in range(3):
        advance(1)
print("done")
"""
ON_A_TERMINAL = f"import pty, sys; pty.spawn([sys.executable, '-c', {LONG!r}])"


def run(code, **environment):
    """Run code in a process of its own and return what it showed."""
    plain = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_XDIST_WORKER")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**plain, "TERM": "xterm", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_shows_a_bar():
    """The step is named and reaches 100 %, and the line is gone at the end."""
    shown = run(ON_A_TERMINAL)
    assert "embedding" in shown
    assert "100%" in shown
    assert shown.strip().endswith("done")


SILENT = """
import time
from zsgate.system.progress import waiting

with waiting("mine: embedding 240 cells"):
    time.sleep(1.2)
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_shows_how_long_nothing_was_heard():
    """What reports no progress has a clock, and the line is gone at the end; elsewhere nothing is shown."""
    shown = run(f"import pty, sys; pty.spawn([sys.executable, '-c', {SILENT!r}])")
    assert "mine: embedding 240 cells: nothing heard for" in shown
    assert "0:00:01" in shown
    assert shown.strip().endswith("done")
    assert run(SILENT) == "done\n"


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"PYTEST_XDIST_WORKER": "gw0"}, {"TERM": "dumb"}])
def test_jobs_and_workers_are_quiet(environment):
    """A CI job, an xdist worker and a dumb terminal show nothing but their output."""
    assert run(ON_A_TERMINAL, **environment).strip() == "done"


def test_a_pipe_is_quiet():
    """Without a terminal nothing is drawn."""
    assert run(LONG) == "done\n"


def test_an_error_comes_through():
    """A step that fails fails as it would without a bar."""
    with pytest.raises(RuntimeError, match="as it were"), steps("embedding", 3):
        raise RuntimeError("as it were")  # noqa: EM101

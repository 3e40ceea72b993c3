"""A long step shows a live line on a terminal, also while pytest captures the output, and nothing in a log."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

CODE = """
import os, fcntl, termios
os.setsid()
fcntl.ioctl({terminal}, termios.TIOCSCTTY, 0)
import pytest
raise SystemExit(pytest.main(["-q", "test_steps.py"]))
"""
TEST = """
from zsgate.execution.progress import steps

def test_steps():
    with steps("embedding", 3) as advance:
        advance(3)
"""


def said_on_terminal(pytester: pytest.Pytester, **environment: str) -> str:
    """Run pytest in a session that a pseudo-terminal controls, its streams in a file, and return what it showed."""
    pytester.makepyfile(test_steps=TEST)
    ours, theirs = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key not in ("CI", "PYTEST_XDIST_WORKER")}
    with (pytester.path / "log").open("w") as log:
        done = subprocess.run(
            [sys.executable, "-c", CODE.format(terminal=theirs)],
            cwd=pytester.path,
            env={**variables, "TERM": "xterm", **environment},
            stdout=log,
            stderr=log,
            pass_fds=[theirs],
            check=False,
        )
    os.close(theirs)
    assert done.returncode == 0, (pytester.path / "log").read_text()
    assert "embedding" not in (pytester.path / "log").read_text()
    try:
        return os.read(ours, 65536).decode(errors="replace")
    except OSError:  # nothing was ever written
        return ""
    finally:
        os.close(ours)


def test_a_terminal_shows_the_step(pytester):
    """The line is drawn on the controlling terminal, not on the captured streams."""
    assert "embedding" in said_on_terminal(pytester)


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}, {"PYTEST_XDIST_WORKER": "gw0"}])
def test_a_log_does_not(pytester, environment):
    """CI logs, dumb terminals and workers stay quiet."""
    assert said_on_terminal(pytester, **environment) == ""

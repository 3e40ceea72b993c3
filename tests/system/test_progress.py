"""Progress: a line on a terminal that goes again, and in a log a line every half minute at the latest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time

import pytest

import zsgate
from zsgate.system import progress
from zsgate.system.progress import BYTES, EVERY, FIRST, Task, duration, steps, waiting

# as slow as a real step, in a fiftieth of the time
QUICK = """
import sys, time
from zsgate.system import progress
progress.FIRST, progress.EVERY, progress.REDRAWN, progress.LEAST = 0.2, 0.5, 0.05, 0.05
from zsgate.system.progress import steps, waiting
"""
LONG = """
with steps("scvi: training", 2000, "epoch") as advance:
    for _ in range(10):
        advance(100)
        time.sleep(0.15)
print("done")
"""
SILENT = """
with waiting("mine: embedding 240 cells"):
    time.sleep(1.6)
print("done")
"""
needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")


def run(code: str, **environment: str) -> str:
    """Run code in a process of its own, without a terminal, and return what it wrote."""
    plain = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_XDIST_WORKER")}
    done = subprocess.run(
        [sys.executable, "-c", QUICK + code],
        env={**plain, "TERM": "xterm", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        start_new_session=True,
    )
    return done.stdout.decode()  # carriage returns stay what they are


def on_a_terminal(code: str, **environment: str) -> str:
    """Run code on a pseudo-terminal and return what that was sent."""
    return run(f"import pty; pty.spawn([sys.executable, '-c', {QUICK + code!r}])", **environment)


def test_a_log_says_how_far_a_step_is():
    """At first soon, then again and again: how many of how many, since when, and about how long still."""
    lines = [line for line in run(LONG).splitlines() if line.startswith("zsgate: ")]
    assert 2 <= len(lines) <= 4
    pattern = r"zsgate: scvi: training: epoch [\d,]+ of 2,000, \d s, about \d s left"
    assert all(re.fullmatch(pattern, line) for line in lines), lines


def test_a_log_says_for_how_long_a_step_has_said_nothing():
    """A call that reports nothing has a clock."""
    lines = [line for line in run(SILENT).splitlines() if line.startswith("zsgate: ")]
    assert 2 <= len(lines) <= 4
    assert all(re.fullmatch(r"zsgate: mine: embedding 240 cells, \d s", line) for line in lines), lines


def test_a_short_step_says_nothing():
    """Whoever is done within ten seconds is not spoken of."""
    code = "with steps('embedding', 3) as advance:\n    advance(3)\ntime.sleep(0.7)\nprint('done')"
    assert run(code) == "done\n"


def test_half_a_minute_is_never_silent():
    """What the tests above shorten is, as it is used, below 30 s with room for a slow machine."""
    assert FIRST == 10
    assert EVERY + 2 * progress.REDRAWN <= 28


@needs_pty
def test_a_terminal_shows_a_line_that_goes_again():
    """It lies below the cursor, which is put back, so that it covers nothing; at the end it is wiped."""
    shown = on_a_terminal("sys.stdout.write('....'); sys.stdout.flush()\n" + LONG)
    assert "scvi: training: epoch 1,000 of 2,000" in shown
    head, _, tail = shown.partition("\x1b")
    assert head == "...."
    drawn, _, rest = shown.rpartition("\x1b7\x1b[1B\r\x1b[2K\x1b8")
    assert drawn.count("\x1b7") == drawn.count("\x1b8")
    assert rest.strip() == "done"
    assert "\n" not in tail.removesuffix(rest)


@needs_pty
@pytest.mark.parametrize("environment", [{"CI": "true"}, {"PYTEST_XDIST_WORKER": "gw0"}, {"TERM": "dumb"}])
def test_jobs_workers_and_dumb_terminals_have_lines(environment):
    """Where nothing can be drawn there are plain lines, which name the worker."""
    shown = on_a_terminal(SILENT, **environment)
    assert "\x1b" not in shown
    worker = " [gw0]" if "PYTEST_XDIST_WORKER" in environment else ""
    assert f"zsgate{worker}: mine: embedding 240 cells, 1 s" in shown


TQDM = """
from tqdm import tqdm

with waiting("mine: embedding 240 cells"):
    for _ in tqdm(range(4), desc="Batches", file=open("/dev/null", "w")):
        time.sleep(0.4)
"""


def test_a_bar_of_tqdm_is_read():
    """A model that has a bar need not do anything."""
    pytest.importorskip("tqdm")
    shown = run(TQDM)
    assert re.search(r"zsgate: mine: embedding 240 cells: Batches: [123] of 4, \d s, about \d s left\n", shown), shown


def test_a_loop_of_one_s_own_is_heard():
    """``zsgate.progress`` counts what passes through it; a test is named where nothing inside of it is."""
    code = """
with waiting("test_x[cells]", background=True):
    time.sleep(0.4)
    with waiting("mine: embedding"):
        for _ in progress.progress(range(4)):
            time.sleep(0.4)
"""
    shown = run(code)
    assert "zsgate: test_x[cells], 0 s" in shown
    assert re.search(r"zsgate: mine: embedding: batches: [123] of 4, \d s, about \d s left\n", shown), shown
    assert list(zsgate.progress(iter("abc"), total=3)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Task("hvg", began=0), "hvg, 45 s"),
        (Task("a", 10, "", 0, 0), "a: 0 of 10, 45 s"),
        (Task("a", 10, "", 10, 0), "a: 10 of 10, 45 s"),
        (Task("a", None, "cell", 1200, 0), "a: cell 1,200, 45 s"),
        (Task("a", 100, "", 1, 0, paced=(20.0, 1)), "a: 1 of 100, 45 s"),
        (Task("a", 100, "", 2, 0, paced=(20.0, 1)), "a: 2 of 100, 45 s, about 41 min left"),
        (Task("x", 3_000_000_000, BYTES, 1_500_000_000, 0), "x: 1.50 of 3.00 GB, 45 s, about 45 s left"),
    ],
)
def test_words_of_a_step(task, words):
    """What is known is said, and no more."""
    assert task.words(45.0) == words


def test_durations():
    """In the unit in which the number is short."""
    assert [duration(s) for s in (0.4, 95, 119.6, 720, 7200, 12_240)] == [
        "0 s",
        "95 s",
        "120 s",
        "12 min",
        "2.0 h",
        "3.4 h",
    ]


def test_an_error_comes_through_and_ends_the_step():
    """A step that fails fails as it would without a line."""
    with pytest.raises(RuntimeError, match="as it were"), waiting("outer"), steps("embedding", 3):
        raise RuntimeError("as it were")  # noqa: EM101
    assert progress.BOARD.tasks == []


def test_one_thread_watches(monkeypatch):
    """However many steps there are; and what cannot be written to ends nothing."""
    monkeypatch.setattr(progress, "EVERY", 0.01)
    read, write = os.pipe()
    os.close(read)
    progress.write_to(write)
    try:
        for _ in range(50):
            with waiting("a"), steps("b", 1) as advance:
                advance(1)
        with waiting("c"):
            time.sleep(0.05)
    finally:
        progress.write_to()
        os.close(write)
    assert sum(thread.name == "zsgate progress" for thread in threading.enumerate()) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are POSIX")
def test_a_fork_has_no_step_of_its_parent():
    """Nor does it speak of it, or wait for a thread that it has not."""
    code = """
import os
with waiting("outer"):
    child = os.fork()
    if not child:
        assert progress.BOARD.tasks == []
        with waiting("inner"):
            time.sleep(0.4)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    assert "inner, 0 s" in run(code)

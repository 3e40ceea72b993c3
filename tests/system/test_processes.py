"""No process outlives the one that started it, whatever ends that one; SIGTERM is an interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process_tree import children_of, is_running, wait_until

from zsgate.system.processes import end_pool, interrupt_at_sigterm, processes, start_pool

LIMIT = 10  # seconds in which all must be gone

# starts two workers, as METHOD says, that write their ids and work for a minute
PROGRAM = """
import multiprocessing, os, sys, time
from pathlib import Path
from zsgate.system.processes import interrupt_at_sigterm, processes

def work(folder, seconds):
    Path(folder, str(os.getpid())).touch()
    time.sleep(seconds)

if __name__ == "__main__":
    interrupt_at_sigterm()
    folder, method = sys.argv[1:]
    try:
        with processes(2, multiprocessing.get_context(method)) as pool:
            list(pool.map(work, [folder] * 2, [60, 60]))
    except KeyboardInterrupt:
        sys.exit(2)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks at processes as Linux shows them")
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_run(tmp_path, method, sent):
    """After SIGKILL nobody tells them; after SIGTERM the run ends as if interrupted. Trackers and servers go too."""
    program, marks = tmp_path / "program.py", tmp_path / "marks"
    program.write_text(PROGRAM)
    marks.mkdir()
    with subprocess.Popen([sys.executable, program, marks, method], stderr=subprocess.PIPE) as run:
        assert wait_until(lambda: len(list(marks.iterdir())) == 2, 60)
        children = children_of(run.pid)
        assert children >= {int(mark.name) for mark in marks.iterdir()}
        run.send_signal(sent)
        code = run.wait(LIMIT)
        assert code == (2 if sent == signal.SIGTERM else -sent)
        assert wait_until(lambda: not any(map(is_running, children)), LIMIT), children
        assert b"Traceback" not in (run.stderr.read() if run.stderr else b"")


def nap(seconds: float, _: bytes = b"") -> float:
    time.sleep(seconds)
    return seconds


def fail_beside_jobs() -> None:
    with processes(2) as pool:
        for _ in range(5):
            pool.submit(nap, 60.0, bytes(1 << 22))
        time.sleep(1)
        msg = "as told"
        raise ValueError(msg)


def test_what_is_done_ends_in_peace():
    """Every result comes, and nobody is killed."""
    with processes(2) as pool:
        found = pool.map(nap, [0.0, 0.1])
    assert list(found) == [0.0, 0.1]


def test_an_error_waits_for_nobody():
    """Neither for those at work nor for large jobs that nobody has fetched."""
    began = time.monotonic()
    with pytest.raises(ValueError, match="as told"):
        fail_beside_jobs()
    assert time.monotonic() - began < LIMIT
    pool = start_pool(1)
    end_pool(pool)
    end_pool(pool)


def test_sigterm_is_an_interrupt():
    """Once; a second one while the run ends changes nothing; afterwards it is what it was."""
    undo = interrupt_at_sigterm()
    try:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        undo()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


PARENT = """
import subprocess, sys, time
from zsgate.system.processes import interrupt_at_sigterm
interrupt_at_sigterm(hand_on=True)
child = subprocess.Popen([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"])
try:
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(child.wait(5))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="on Linux only")
def test_sigterm_is_handed_on():
    """To the workers of pytest-xdist, which only their controller hears of."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"1\n"
        run.terminate()
        assert run.wait(LIMIT) == 256 - signal.SIGTERM


def test_a_handler_of_somebody_else_stays():
    """A batch system's hooks know better what a signal means there."""

    def theirs(*_):
        pass

    before = signal.signal(signal.SIGTERM, theirs)
    try:
        interrupt_at_sigterm()()
        assert signal.getsignal(signal.SIGTERM) is theirs
    finally:
        signal.signal(signal.SIGTERM, before)

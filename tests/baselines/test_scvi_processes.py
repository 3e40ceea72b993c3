"""Trainings of scVI end with the run, whatever ends it and whenever, and say how far they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from process_tree import children_of, is_running, wait_until

from zsgate.baselines.scvi import baseline as scvi

GONE = 5  # seconds in which all must be gone

# trains three seeds as embed does, under SIGTERM's handler of a run
PROGRAM = """
import signal, sys
from zsgate.baselines.scvi import baseline as scvi
from zsgate.data.catalogue.load import load
from zsgate.system.processes import interrupt_at_sigterm

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell has jobs in the background ignore
    interrupt_at_sigterm()
    try:
        scvi.embed(load("pancreas_quick"), seeds=2, schedule="levels_off")
    except KeyboardInterrupt:
        sys.exit(2)
"""


def is_importing(run: int, _: Path) -> bool:
    """Return whether the fork server is at its imports: it is larger than a bare Python, and has no children yet."""
    for pid in children_of(run):
        is_server = b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
        if is_server and int(Path(f"/proc/{pid}/statm").read_text().split()[1]) << 12 > 60e6:
            return True
    return False


def is_training(_: int, folder: Path) -> bool:
    """Return whether both seeds have done an epoch."""
    marks = list(folder.glob("zsgate-scvi-*/*"))
    return len(marks) == 2 and all(mark.stat().st_size for mark in marks)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks at processes as Linux shows them")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("when", [is_importing, is_training])
def test_nothing_is_left_of_a_run_that_is_ended(tmp_path, when, sent):
    """While the server imports as well as in the middle of two trainings; Ctrl-C reaches them all."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, program], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        try:
            assert wait_until(lambda: when(run.pid, tmp_path), 120)
            children = children_of(run.pid)
            assert len(children) >= (2 if when is is_importing else 4)
            (os.killpg if sent == signal.SIGINT else os.kill)(run.pid, sent)
            run.wait(60)
            assert wait_until(lambda: not any(map(is_running, children)), GONE), children
        finally:
            run.kill()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks at processes as Linux shows them")
def test_a_killed_server_takes_its_trainings_along(tmp_path):
    """The run then says that it broke, instead of waiting for ever."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, program], env=environment, stderr=subprocess.PIPE) as run:
        try:
            assert wait_until(lambda: is_training(run.pid, tmp_path), 120)
            children = children_of(run.pid)
            (server,) = {pid for pid in children if len(children_of(pid)) == 2}
            os.kill(server, signal.SIGKILL)
            assert wait_until(lambda: not any(map(is_running, children)), 60), children
            assert run.wait(60) == 1
            assert b"BrokenProcessPool" in (run.stderr.read() if run.stderr else b"")
        finally:
            run.kill()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["main thread", "another thread", "no processes"])
def test_every_epoch_is_reported_and_a_seed_that_stops_is_done(few_cells, monkeypatch, where):
    """Advances add up to seeds times epochs at most, in many steps; from a thread no server is tied to that thread."""
    from contextlib import contextmanager

    seen = []

    @contextmanager
    def steps(what, total, unit):
        seen.append(total)
        yield seen.append

    def refused(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(scvi, "steps", steps)
    monkeypatch.setattr(scvi, "LOOK", 0.05)
    if where == "no processes":
        monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refused)
    done = []
    work = threading.Thread(target=lambda: done.append(scvi.embed(few_cells, seeds=2, schedule="levels_off")))
    if where == "another thread":
        work.start()
        work.join()
    else:
        work.run()
    ((draws, notes),) = done
    assert len(draws) == 2
    total, *advances = seen
    assert total == 2 * 400 == sum(advances)
    assert all(advance >= 0 for advance in advances)
    assert sum(advance > 0 for advance in advances) > 10
    assert max(notes["epochs"]) < 400

"""Candidates, copied to where a run is started: one that passes, and others that do what a program can do to a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np

HERE = Path(__file__).parent
LONG = 600  # seconds: longer than any limit


def moment(name):
    """Say that a moment has come and take two seconds, where the run is to be slow at it."""
    if os.environ.get("FAULT_SLOW") == name:
        (HERE / name).touch()
        time.sleep(2)


class Good:
    """Reads the labels from the file and gives them, with a little noise that is the cell's own."""

    fingerprint = "1"
    whole = 240  # cells of the file; 16 of them are embedded anew in each run

    def __init__(self):
        moment("loading")

    def embed(self, adata):
        with (HERE / "calls").open("a") as log:
            log.write(f"{adata.n_obs}\n")
        if adata.n_obs == self.whole:
            moment("embedding")
            self.before()
        labels = anndata.read_h5ad(HERE / "cells.h5ad").obs.loc[adata.obs_names, "cell_type"].cat.codes.to_numpy()
        noise = [np.random.default_rng(int.from_bytes(name.encode()[-8:], "little")) for name in adata.obs_names]
        return 3 * np.eye(12)[labels] + 0.1 * np.array([each.normal(size=12) for each in noise])

    def before(self):
        """Do what is done before the rows of all cells are given."""


class Hangs(Good):
    """Never comes back."""

    def before(self):
        time.sleep(LONG)


class HangsDeaf(Good):
    """Never comes back, and takes no signal that can be refused."""

    def before(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(LONG)


class Crashes(Good):
    """Reads where no memory is."""

    def before(self):
        os.kill(os.getpid(), signal.SIGSEGV)


class CrashesOnce(Crashes):
    """Crashes the first time; a process that is started after it finds the mark."""

    def before(self):
        if not (HERE / "crashed").exists():
            (HERE / "crashed").touch()
            super().before()


class Exits(Good):
    """Ends its process as if all were well."""

    def before(self):
        os._exit(0)


class Killed(Good):
    """Is killed, as the system does where memory runs out."""

    def before(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Unfinished:
    """Raises when it is thrown away."""

    def __del__(self):
        msg = "thrown away"
        raise RuntimeError(msg)


class RaisesWhenDeleted(Good):
    """Leaves errors in ``__del__``, which Python prints and forgets."""

    def before(self):
        self.kept = Unfinished()
        Unfinished()


class Allocates(Good):
    """Takes memory until something stops it."""

    def before(self):
        held = []
        while True:
            held.append(np.ones(8_000_000))
            time.sleep(0.02)


class Prints(Good):
    """Prints 40 MB, in long lines and short ones, to both streams."""

    def before(self):
        for _ in range(20):
            print("x" * 1_000_000)
            print("y" * 1_000_000, file=sys.stderr)
            sys.stdout.write("{}\n" * 1000)


class LeavesChildren(Good):
    """Starts processes and forgets them: one of its group, one of a session of its own."""

    def before(self):
        for apart in (False, True):
            subprocess.Popen(["sleep", str(LONG)], start_new_session=apart)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(LONG)
            os._exit(0)


class LeavesChildrenAndHangs(LeavesChildren):
    """Does that, and never comes back."""

    def before(self):
        super().before()
        time.sleep(LONG)


class ClosesItsStreams(Good):
    """Closes what it could print to."""

    def before(self):
        sys.stdout.close()
        os.close(1)
        os.close(2)


class ClosesEverything(Good):
    """Closes every file that its process has open."""

    def before(self):
        os.closerange(0, 256)


class MovesAway(Good):
    """Changes the working folder, the environment, the umask and what is imported from where."""

    def before(self):
        os.chdir("/")
        os.environ.clear()
        os.umask(0o777)
        sys.path.clear()
        np.random.seed(1)


class TakesSignals(Good):
    """Installs handlers and timers."""

    def before(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)


class Late(Good):
    """Comes back after the limit."""

    def before(self):
        time.sleep(16)


class Recurses(Good):
    """Calls itself until Python has enough."""

    def before(self):
        self.before()


class Writes(Good):
    """Writes a file that is larger than it may, or than there is room."""

    def before(self):
        with (HERE / "dump").open("wb") as file:
            file.write(bytes(50_000_000))

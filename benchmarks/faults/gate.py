"""Gate: pytest as a user starts it, in a fresh folder with few real cells, and what is left when it has ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from process_tree import wait_until

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GONE = 5.0  # seconds in which its processes must be gone once a run has ended
MARK = "FAULTS_TOKEN"  # a variable by whose value every process of a run is known, wherever it has gone
COLUMNS = ("--tier=quick", "--datasets=cells.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor")
ONE, FOUR = "hvg and asw", "(hvg or pca) and (asw or nmi)"  # tests, with -k
# A shell has jobs in the background ignore them. Not by `preexec_fn`: that forks, of which JAX warns once it is loaded.
HEEDS_INTERRUPTS = ("env", "--default-signal=INT")
# run it, and keep its report, which may lie on what is mounted for it alone
COPY = """top=$PWD; "$@"; code=$?; cp -r zsgate-report "$top/../logs/report" 2>/dev/null; exit $code"""
# what a run is not to learn of the one that is testing here
NOT_GIVEN = ("PYTEST_", "ZSGATE_", "GITHUB_", "COV_", "TMPDIR", "NUMBA_", "XDG_")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """How the gate is started.

    Attributes
    ----------
    model
        Class of ``faulty.py``, or a whole ``--model``.
    args
        More of pytest's arguments.
    select
        Tests, as ``-k`` takes them.
    environment
        Variables; None takes one away.
    before
        Lines of bash that run first: limits, mounts, redirections.
    through
        Program and arguments that start it after that.
    mounts
        Whether the lines of bash mount: mounts are then of the run's own.
    timeout, memory
        Of the candidate, seconds and GB, in pyproject.toml.
    limit
        Seconds after which the run hangs.
    """

    model: str = "Good"
    args: tuple[str, ...] = ()
    select: str = ONE
    environment: Mapping[str, str | None] = field(default_factory=dict)
    before: str = ""
    through: tuple[str, ...] = ()
    mounts: bool = False
    timeout: float | None = None
    memory: float | None = None
    limit: float = 90

    @property
    def name(self) -> str:
        """What ``--model`` is given."""
        return self.model if self.model[0].islower() else f"faulty:{self.model}"

    def words(self) -> list[str]:
        """Return the command line."""
        pytest = [sys.executable, "-m", "pytest", f"--model={self.name}", "-p", "no:hypothesispytest", "-p", "no:zarr"]
        asked = ["-k", self.select, "--no-maps", *self.args]
        columns = () if any(arg.startswith("--datasets") for arg in self.args) else COLUMNS
        own, end = (["unshare", "-m"], COPY) if self.mounts else ([], 'exec "$@"')
        shell = [*HEEDS_INTERRUPTS, *own, "bash", "-c", f"{self.before}\n{end}", "bash"]
        return [*shell, *self.through, *pytest, *columns, *asked]


@dataclass(frozen=True)
class Ended:
    """A run that has ended, or was ended because it hung.

    Attributes
    ----------
    code
        Its exit code; of a signal the negative number, of a run that hung None.
    seconds
        How long it took.
    out, err
        What it wrote.
    left
        Command lines of its processes that run some seconds later; they were ended then.
    report
        Folder of its page.
    """

    code: int | None
    seconds: float
    out: str
    err: str
    left: tuple[str, ...]
    report: Path

    @cached_property
    def record(self) -> dict[str, Any] | None:
        """What verdict.json holds; None where there is none."""
        path = self.report / "verdict.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    @property
    def state(self) -> str:
        """How the gate stands by verdict.json; empty where there is none."""
        return str(self.record["gate"]) if self.record else ""

    @property
    def page(self) -> str:
        """The page; empty where there is none."""
        path = self.report / "index.html"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The verdicts."""
        return self.record["verdicts"] if self.record else []


@dataclass
class Project:
    """A folder where the gate is run, with cells, candidates and a store of its own.

    Attributes
    ----------
    folder
        The folder.
    logs
        Where what runs write is kept, which is no part of it.
    """

    folder: Path
    logs: Path

    @property
    def store(self) -> Path:
        """The folder of what is kept."""
        return self.folder / "cache"

    def gate(self, ask: Ask | None = None, **asked: Any) -> Ended:
        """Run the gate to its end."""
        return self.start(ask or Ask(**asked)).end()

    def start(self, ask: Ask) -> Going:
        """Start the gate."""
        self._settle(ask)
        token = uuid.uuid4().hex
        kept = {key: value for key, value in os.environ.items() if not key.startswith(NOT_GIVEN)}
        given = {"ZSGATE_CACHE": str(self.store), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **ask.environment}
        environment = {key: value for key, value in (kept | given).items() if value is not None} | {MARK: token}
        shutil.rmtree(self.logs / "report", ignore_errors=True)
        out, err = (self.logs / f"{token}.{name}" for name in ("out", "err"))
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                ask.words(),
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
                start_new_session=True,
            )
        report = next((arg.partition("=")[2] for arg in ask.args if arg.startswith("--report=")), "zsgate-report")
        place = self.logs / "report" if ask.mounts else self.folder / report
        return Going(process, token, time.monotonic() + ask.limit, (out, err), place)

    def _settle(self, ask: Ask) -> None:
        told = {"timeout": ask.timeout, "memory": ask.memory}
        lines = [f"{key} = {value}" for key, value in told.items() if value is not None]
        table = "\n".join([f'[tool.zsgate.models."{ask.name}"]', *lines]) if lines else ""
        path = self.folder / "pyproject.toml"
        if (path.read_text(encoding="utf-8") if path.exists() else "") != table:
            path.write_text(table, encoding="utf-8")


@dataclass
class Going:
    """A run that goes on.

    Attributes
    ----------
    process
        Its first process.
    token
        By which all of them are known.
    until
        When it counts as hanging, seconds of the monotonic clock.
    logs
        The files of what it writes.
    report
        Folder of its page.
    """

    process: subprocess.Popen[bytes]
    token: str
    until: float
    logs: tuple[Path, Path]
    report: Path
    began: float = field(default_factory=time.monotonic)

    def end(self) -> Ended:
        """Wait for its end, and for its processes to go; end what does not."""
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(max(0.1, self.until - time.monotonic()))
        seconds = time.monotonic() - self.began
        if code is not None:
            wait_until(lambda: not self.processes(), GONE)
        left = self.processes()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in self.logs)
        return Ended(code, seconds, out, err, tuple(left.values()), self.report)

    def processes(self) -> dict[int, str]:
        """Return the command lines of its processes by their ids."""
        found, mark = {}, f"{MARK}={self.token}".encode()
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (place / "environ").read_bytes() and _state(place) != "Z":
                    words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(place.name)] = words.strip()
        return found


def _state(place: Path) -> str:
    return (place / "stat").read_text().rpartition(")")[2].split()[0]


def new_project(folder: Path, cells: Path) -> Project:
    """Return a fresh folder with cells and candidates."""
    place, logs = folder / "project", folder / "logs"
    place.mkdir(parents=True)
    logs.mkdir()
    shutil.copy(cells, place / "cells.h5ad")
    for name in ("faulty.py", "moments.py", "listed.py"):
        shutil.copy(HERE / name, place)
    return Project(place, logs)

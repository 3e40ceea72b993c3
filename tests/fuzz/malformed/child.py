"""A process that serves cases, replaced when one of them ends it or never ends."""

from __future__ import annotations

import multiprocessing
import resource
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from malformed.kind import SECONDS, Came, Kind, Lost, shown

MOST_MEMORY = 10 << 30  # bytes of address space: what claims more is refused for lack of memory
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where small files cost least
TO_END = 2  # seconds
TO_START = 120  # seconds that the imports of a new process may take


class Child:
    """Checks cases in a process of its own.

    Parameters
    ----------
    folder
        Where it writes them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Any = None
        self._pipe: Connection | None = None
        self._prepared: set[str] = set()

    def check(self, kind: Kind, case: Any) -> Came:
        """Return what came of a case; raises Lost, also where it crashes or does not come to an end."""
        if self._process is None:
            self._start()
        if kind.name not in self._prepared:
            self._prepare(kind)
        assert self._pipe is not None
        try:
            self._pipe.send((kind.name, case))
            if not self._pipe.poll(SECONDS):
                self.close()
                msg = f"no end within {SECONDS} s: {shown(case)}"
                raise Lost(msg)
            came, said = self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            self.close()
            msg = f"it crashed (exit code {code})"
            raise Lost(msg) from None
        if said:
            raise Lost(said)
        return Came(came)

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()  # it ends by itself where it can
        if self._process is not None:
            self._process.join(TO_END)
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None
        self._prepared.clear()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, str(self._folder)), daemon=True)
        self._process.start()
        theirs.close()
        self._wait()

    def _prepare(self, kind: Kind) -> None:
        assert self._pipe is not None
        self._pipe.send((kind.name, None))
        self._wait()
        self._prepared.add(kind.name)

    def _wait(self) -> None:
        """Return when the process is ready for a case."""
        if self._pipe is None or not self._pipe.poll(TO_START) or self._pipe.recv() != "ready":
            self.close()
            msg = "the process of the cases did not start"
            raise RuntimeError(msg)


def serve(pipe: Connection, folder: str) -> None:
    """Answer (kind, case) with (what came, an empty string) or with (an empty string, what went wrong)."""
    from malformed.kinds import KINDS

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    warnings.simplefilter("ignore")  # of libraries that write what is then damaged
    pipe.send("ready")
    while True:
        try:
            name, case = pipe.recv()
        except EOFError:
            return
        if case is None:
            KINDS[name].prepare()
        pipe.send("ready" if case is None else answer(KINDS[name], case, folder))


def answer(kind: Kind, case: Any, folder: str | None = None) -> tuple[str, str]:
    """Return (what came of a case, an empty string) or (an empty string, what went wrong)."""
    with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
        try:
            return kind.check(case, Path(place)), ""
        except Lost as fault:
            cause = fault.__cause__
            where = "".join(traceback.format_exception(cause)[-6:]) if cause else ""
            return "", f"{fault}\n{where}"
        except Exception:  # of the check itself: told as a fault, so that nothing passes unseen
            return "", traceback.format_exc()

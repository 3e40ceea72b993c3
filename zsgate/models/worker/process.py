"""The process of a worker: started, asked, watched, and ended with everything that it started."""

from __future__ import annotations

import errno
import json
import os
import queue
import signal
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zsgate.errors import NO_PROCESSES, MachineFailed, UsageProblem
from zsgate.models.worker.failed import Message, WorkerEnded, WorkerFailed, WorkerReported
from zsgate.system.memory import resident_of_group
from zsgate.system.processes import kill_marked
from zsgate.system.progress import duration

SHOWN = 20  # lines of its log that are shown where it failed
LOOK = 0.5  # seconds from one look at its memory to the next
FULL_UP = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # no process more, for now
MARK = "_ZSGATE_WORKER"  # variable by which the processes that it starts are known
GRACE = 0.5  # seconds that it may take to end by itself


@dataclass(frozen=True, slots=True)
class Command:
    """How a worker is started, and what it may take.

    Attributes
    ----------
    words
        The program and its arguments.
    folder
        Where it is started.
    timeout
        Seconds that may pass without progress; None sets no limit.
    memory
        Bytes that its processes may hold together; None sets no limit.
    """

    words: tuple[str, ...]
    folder: Path
    timeout: float | None = None
    memory: int | None = None


class WorkerProcess:
    """A worker that runs, in a process group of its own.

    Parameters
    ----------
    command
        How it is started.

    Raises
    ------
    UsageProblem
        If the program cannot be started.
    MachineFailed
        If the system has no room for another process or thread.
    """

    def __init__(self, command: Command) -> None:
        self.command = command
        self._mark = uuid.uuid4().hex
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", MARK: self._mark}
        try:
            self._process = subprocess.Popen(
                command.words,
                cwd=command.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"cannot start {command.words[0]!r} in {command.folder} ({error.strerror or error})"
            if error.errno not in FULL_UP:
                raise UsageProblem(msg) from error
            msg = f"{msg}; {NO_PROCESSES}"
            raise MachineFailed(msg) from error
        self._log: deque[str] = deque(maxlen=SHOWN)
        self._said: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._read, args=(self._process.stdout, self._hear), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self._log.append), daemon=True),
        ]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError as error:
            self._kill()
            msg = f"no thread can be started to watch {command.words[0]!r} ({error}); {NO_PROCESSES}"
            raise MachineFailed(msg) from error

    def ask(self, request: Message, hear: Callable[[Message], None]) -> Message:
        """Send a request and return the message that ends its answer; every other one is given to ``hear``.

        Raises
        ------
        WorkerEnded
            If the process ends.
        WorkerReported
            If it says that it failed.
        WorkerFailed
            If it makes no progress, or takes too much memory; its process is ended.
        """
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone, which is told below
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        last = time.monotonic()
        while True:
            message = self._next(last)
            if message is None:
                continue
            last = time.monotonic()
            if "error" in message:
                time.sleep(0.05)  # for what it wrote to its log about it
                raise WorkerReported(message["error"], tuple(self._log))
            hear(message)
            if "done" in message:
                return message

    def finish(self) -> None:
        """Wait until the process ends by itself.

        Raises
        ------
        WorkerEnded
            If it says by its exit status that it failed, or was killed.
        WorkerFailed
            If it takes too long, or too much memory; it is ended.
        """
        began = time.monotonic()
        while True:
            try:
                self._next(began)
            except WorkerEnded:
                if self._process.returncode:
                    raise
                return

    def close(self) -> None:
        """End the process and all that it started."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self._kill()
        for thread in self._threads:  # they close what they read
            thread.join(GRACE)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def _next(self, last: float) -> Message | None:
        """Return the next message; None if there was none for a while."""
        try:
            message = self._said.get(timeout=LOOK)
        except queue.Empty:
            self._watch(last)
            return None
        if message is None:
            raise WorkerEnded(self._how_it_ended(), self._last_lines())
        return message

    def _watch(self, last: float) -> None:
        limit, most = self.command.timeout, self.command.memory
        if limit is not None and time.monotonic() - last > limit:
            self._kill()
            msg = f"its process made no progress within {duration(limit)} (timeout = {limit:g}) and was ended"
            raise WorkerFailed(msg, self._last_lines())
        if most is not None and (held := resident_of_group(self._process.pid)) > most:
            self._kill()
            took = f"{held / 1e9:.1f} GB of memory, more than the {most / 1e9:.1f} GB it may (memory)"
            msg = f"its process held {took}, and was ended"
            raise WorkerFailed(msg, self._last_lines())

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):  # it may have closed its output only
            self._process.wait(GRACE)
        self._kill()
        status = self._process.returncode
        if status >= 0:
            return f"its process ended without an answer (exit status {status})"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        hint = ", as the system does where memory runs out" if -status == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"

    def _last_lines(self) -> tuple[str, ...]:
        self._threads[1].join(GRACE)
        return tuple(self._log)

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        kill_marked(MARK, self._mark)
        self._process.wait()

    def _hear(self, line: str) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        # what is not of the protocol is said by `uv run`, a container or an import
        self._said.put(message) if isinstance(message, dict) else self._log.append(line)

    def _read(self, stream: IO[bytes], take: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                text = line.decode(errors="replace").rstrip("\r\n")
                take(text.rpartition("\r")[2] if stream is self._process.stderr else text)
        if stream is self._process.stdout:
            self._said.put(None)

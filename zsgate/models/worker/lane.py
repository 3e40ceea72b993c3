"""Lane: the way to one worker process, which is started when it is needed and once more where it crashed."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zsgate.data.dataset import Dataset
from zsgate.errors import MachineFailed, UsageProblem
from zsgate.models.worker.cells_file import write_cells
from zsgate.models.worker.failed import Message, WorkerEnded, WorkerFailed, WorkerReported
from zsgate.models.worker.process import Command, WorkerProcess

FIRST_BATCH = 32  # cells a batch where a model has run out of memory and did not say how many it took
SMALL = 512  # cells whose file is not kept for the next request
PLACES = re.compile(r"\{(input|output|twin|seed|device|folder)(\.\w+)?\}")


@dataclass
class Lane:
    """The way to one worker.

    Attributes
    ----------
    name
        What ``--model`` calls its model.
    command
        How it is started.
    device
        Where it is to run: ``"cpu"`` or ``"cuda"``.
    load
        What a worker of this package's own code is to load; None for any other.
    folder
        Where a folder of cells and answers is made; None takes the system's place for temporary ones.
    shown
        What of cells the process has been shown since it was started: (share, seed) of what was hidden, None of whole
        counts.
    """

    name: str
    command: Command
    device: str = "cpu"
    load: Mapping[str, Any] | None = None
    folder: Path | None = None
    shown: set[tuple[float, int] | None] = field(default_factory=set)
    _process: WorkerProcess | None = field(default=None, repr=False)
    _place: Path | None = field(default=None, repr=False)
    _numbers: int = 0

    @property
    def single_shot(self) -> bool:
        """Whether the command embeds one file and ends."""
        return any("{input" in word for word in self.command.words)

    @property
    def place(self) -> Path:
        """The folder of cells and answers; a temporary one where the one that was named cannot be written to."""
        if self._place is None:
            try:
                if self.folder is not None:
                    self.folder.mkdir(parents=True, exist_ok=True)
                self._place = Path(tempfile.mkdtemp(prefix="worker-", dir=self.folder))
            except OSError:
                self._place = Path(tempfile.mkdtemp(prefix="zsgate-worker-"))
        return self._place

    def hello(self) -> Message:
        """Start the worker and return what it says of its model.

        Raises
        ------
        UsageProblem
            If it cannot be started, or ends or fails before it has said anything.
        """
        heard: list[Message] = []
        request = {"op": "hello", "protocol": 1, "device": self.device, "load": self.load}
        self._process = WorkerProcess(replace(self.command, words=self._words({})))
        try:
            self._process.ask(request, heard.append)
        except WorkerReported as error:
            self.close()
            said = error.told.get("type") == "UsageProblem"
            msg = str(error.told["text"]) if said else f"--model {self.name}: {error}"
            raise UsageProblem(msg) from error
        except WorkerFailed as error:
            self.close()
            notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", []))
            msg = f"--model {self.name}: {error.words} while it was loaded{notes}"
            raise UsageProblem(msg) from error
        self.shown.clear()
        said = next((message["hello"] for message in heard if "hello" in message), {})
        if not isinstance(said, dict):
            self.close()
            msg = f"--model {self.name}: its worker says nothing of its model that can be read: {str(said)[:80]!r}"
            raise UsageProblem(msg)
        return said

    def ask(self, op: str, dataset: Dataset, hear: Callable[[Message], None], **request: Any) -> tuple[Path, Message]:
        """Return (the folder of the answer, the message that ended it); a crash is followed by one more try.

        Parameters
        ----------
        op
            What is asked: ``"embed"``, ``"reconstruct"``, ...
        dataset
            The cells.
        hear
            Is given every message.
        **request
            What else it is told; ``batches``, ``hidden`` and ``expression`` say what is written of the cells.

        Raises
        ------
        WorkerFailed
            If there is no answer.
        """
        given = {key: request.pop(key) for key in ("batches", "hidden", "expression") if key in request}
        cells = self._cells(dataset, **given)
        self._numbers += 1
        answer = self.place / f"answer-{self._numbers:06d}"
        answer.mkdir()
        asked = {"op": op, "input": str(cells), "output": str(answer), **request}
        try:
            ended = self._shoot(asked) if self.single_shot else self._ask(asked, hear)
        except BaseException:
            shutil.rmtree(answer, ignore_errors=True)
            raise
        finally:
            share, seed = given.get("hidden") or (0.0, 0)
            self.shown.add((share, seed) if share else None)
            if dataset.n_cells <= SMALL:
                cells.unlink(missing_ok=True)
        return answer, ended

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def clear(self) -> None:
        """End the process and delete its cells and answers."""
        self.close()
        place, self._place = self._place, None
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)

    def _ask(self, asked: dict[str, Any], hear: Callable[[Message], None]) -> Message:
        crashes = 0
        while True:
            try:
                if self._process is None or not self._process.alive:
                    self.hello()
                assert self._process is not None
                return self._process.ask(asked, hear)
            except WorkerEnded as ended:
                self.close()
                crashes += 1
                if crashes > 1:
                    again = WorkerFailed(f"{ended.words}, and so did the one that was started after it")
                    again.__notes__ = getattr(ended, "__notes__", [])
                    raise again from None
            except WorkerReported as error:
                if error.told.get("retry") != "smaller_batch" or asked.get("batch_size") == 1:
                    raise
                asked["batch_size"] = max(1, asked["batch_size"] // 2 if asked.get("batch_size") else FIRST_BATCH)

    def _shoot(self, asked: Mapping[str, Any]) -> Message:
        """Run the command on one file to its end."""
        process = WorkerProcess(replace(self.command, words=self._words(asked)))
        try:
            process.finish()
        finally:
            process.close()
        return {"done": {}}

    def _words(self, asked: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the command with what it is told in the places it has for that."""
        told = {"device": self.device, "folder": str(self.place), **asked}
        output = {"output": str(Path(asked["output"]) / "rows")} if "output" in asked else {}

        def fill(match: re.Match[str]) -> str:
            key, suffix = match[1], match[2] or ""
            if key == "output":
                return output.get(key, "") + (suffix or ".npz")
            return "" if told.get(key) is None else str(told[key])

        return tuple(PLACES.sub(fill, word) for word in self.command.words)

    def _cells(self, dataset: Dataset, **given: Any) -> Path:
        """Return the file of cells, written the first time."""
        of = "-".join([dataset.digest[:32], dataset.number, *(f"{key}{value}" for key, value in sorted(given.items()))])
        try:
            return self._written(f"cells-{of}.h5ad", dataset, given)
        except MachineFailed:
            if self.folder is None or self.folder not in self.place.parents:
                raise
            self._place = Path(tempfile.mkdtemp(prefix="zsgate-worker-"))  # the one before goes with its folder
            return self._written(f"cells-{of}.h5ad", dataset, given)

    def _written(self, name: str, dataset: Dataset, given: Mapping[str, Any]) -> Path:
        path = self.place / name
        if not path.exists():
            write_cells(dataset, path, local=self.load is not None, **given)
            with suppress(OSError):
                path.chmod(0o444)
        return path

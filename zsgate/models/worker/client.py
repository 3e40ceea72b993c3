"""Worker: the adapter of a model that runs in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from zsgate.errors import FULL, OF_THE_MACHINE, CandidateFailed, MachineFailed, UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.models.embedding import check_rows
from zsgate.models.pretrained.coverage import GeneCoverage
from zsgate.models.pretrained.paper_input import describe_input
from zsgate.models.reconstruction import Reconstruction, Scale
from zsgate.models.reconstruction.targets import settled
from zsgate.models.worker.about import About
from zsgate.models.worker.answers import gather_predictions, gather_rows, read_targets
from zsgate.models.worker.failed import Message, WorkerReported
from zsgate.models.worker.lane import Lane
from zsgate.system.progress import BOARD, Task

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.system.store import Store


@dataclass(frozen=True)
class Worker:
    """The adapter of a model that runs in a process of its own.

    Attributes
    ----------
    lane
        The way to the process.
    about
        What it said of its model.
    foreign
        Whether the model's code is not this package's. Such a model sees no hidden count in a process that has seen
        whole ones.
    kept
        Where answers that follow from the model and the cells are kept; None: nowhere.
    twin
        Seed of the untrained twin; None is the model itself.
    draw
        Which of several draws over chance it is.
    """

    served_by: ClassVar[tuple[str, ...]] = ("zsgate.models.worker.serving",)  # modules that run in its process

    lane: Lane
    about: About
    foreign: bool = True
    kept: Store | None = None
    twin: int | None = None
    draw: int = 0

    @property
    def info(self) -> ModelInfo:
        """The model's card."""
        if self.twin is None:
            return self.about.info
        return replace(self.about.info, notes=(*self.about.info.notes, f"untrained, seed {self.twin}"))

    @property
    def fingerprint(self) -> str | None:
        """Digest of what fixes the rows, as the worker declares it; None keeps nothing between runs."""
        declared = self.about.fingerprint
        of = "" if self.twin is None else f":random{self.twin}"
        return None if declared is None else f"{declared}{of}:{self.draw}" if self.draw else f"{declared}{of}"

    @property
    def scale(self) -> Scale | None:
        """What its predictions are."""
        return self.about.scale

    @property
    def heads(self) -> tuple[str, ...]:
        """Its heads of values."""
        return self.about.heads

    @property
    def cannot_hide(self) -> str:
        """Why no genes can be hidden from it, or an empty string."""
        return self.about.cannot_hide

    @property
    def reads_any_name(self) -> bool:
        """Whether it makes something of any gene's name."""
        return self.about.reads_any_name

    def __getattr__(self, name: str) -> Any:
        """Offer what the worker can, and nothing else."""
        offers: dict[str, Callable[..., Any]] = {
            "random_init": self._random_init,
            "reconstruct": self._reconstruct,
            "coverage": self._coverage,
            "check": self._check,
            "repeats": self._repeats,
        }
        about = vars(self).get("about")
        if about is not None and name in offers and (name in about.can or name == "repeats"):
            return offers[name]
        msg = f"{type(self).__name__} has no {name}"
        raise AttributeError(msg)

    def reads(self, dataset: Dataset) -> str:
        """Return in words what it reads of a dataset instead of its counts, or ``""``."""
        return describe_input(dataset) if self.about.reads_file else ""

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the rows of the dataset's cells, float32 (n_cells, n_dimensions), in its order.

        Raises
        ------
        WorkerFailed, CandidateFailed, ValueError
            If it gives none, or rows that are no embedding of the cells.
        MachineFailed
            If the disk is full, there or here.
        """
        batches, whole = self.about.needs_batches, not self.info.independent_cells
        with self._asked("embed", dataset, "embedding", batches=batches, whole=whole) as (answer, ended):
            self._refuse_cpu(ended)
            rows = gather_rows(answer, dataset)
            return check_rows(rows, source=self.info.name, n_cells=dataset.n_cells)

    def close(self) -> None:
        """End the process and delete what it was given."""
        self.lane.clear()

    def _random_init(self, seed: int) -> Worker:
        return replace(self, twin=seed, draw=0)

    def _repeats(self) -> tuple[Worker, ...]:
        return tuple(replace(self, draw=draw) for draw in range(self.about.draws))

    def _reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        if not self.foreign:
            with self._asked("reconstruct", dataset, "predicting genes", masked=masked, seed=seed) as (answer, _):
                yield from gather_predictions(answer)
            return
        if masked and self.cannot_hide:
            raise CandidateFailed(self.cannot_hide)
        own, hidden = self._targets if self.scale == "bin" else None, (masked, seed)
        if masked and self.lane.shown - {hidden}:
            self.lane.close()  # what it was shown, with other genes hidden or none, must not be remembered
        with self._asked("reconstruct", dataset, "predicting genes", masked=masked, seed=seed, hidden=hidden) as (
            answer,
            _,
        ):
            for part in gather_predictions(answer):
                fits = part.fits(dataset.n_cells, len(dataset.symbols)) and part.scale == self.scale
                yield settled(part, dataset, masked, seed, own) if fits else part

    def _targets(self, dataset: Dataset) -> npt.NDArray[Any]:
        with self._asked("targets", dataset, "giving its bins") as (answer, _):
            return read_targets(answer)

    def _coverage(self, dataset: Dataset) -> GeneCoverage:
        found = dict(self._fact("coverage", dataset))
        for key in ("unmapped", "shared"):
            found[key] = tuple(found[key])
        return GeneCoverage(**found)

    def _check(self, dataset: Dataset) -> None:
        if fault := self._fact("check", dataset):
            raise UsageProblem(str(fault))

    def _fact(self, op: str, dataset: Dataset) -> Any:
        """Return what the worker says of a dataset, from the store where it has said it before."""

        def compute() -> Any:
            found: list[Any] = []
            with self._asked(op, dataset, "reading its genes", found.append):
                return next((message["fact"] for message in found if "fact" in message), None)

        if self.kept is None or self.fingerprint is None:
            return compute()
        key = {"op": op, "fingerprint": self.fingerprint, "dataset": dataset.digest, "name": dataset.name}
        key["expression"] = str(dataset.expression.identity if dataset.expression and self.reads(dataset) else None)
        return self.kept.json("said", key, compute)

    @contextmanager
    def _asked(
        self, op: str, dataset: Dataset, what: str, hear: Callable[[Message], None] | None = None, **request: Any
    ) -> Iterator[tuple[Path, Message]]:
        """Ask, show how far the answer is, and yield it; its folder is deleted when the block ends."""
        own: dict[str, Any] = {} if self.foreign else {"name": dataset.name, "draw": self.draw}
        own |= {"expression": True} if self.about.reads_file else {}
        request = {"twin": self.twin, "seed": self.draw, **request, **own}
        with BOARD.task(Task(f"{self.info.name}: {what}", dataset.n_cells, "cell")) as task:
            try:
                answer, ended = self.lane.ask(op, dataset, lambda message: _heard(task, message, hear), **request)
            except WorkerReported as error:
                if (number := error.told.get("errno")) in FULL:
                    msg = f"{error.words}; {OF_THE_MACHINE[number]}"
                    raise MachineFailed(msg) from error
                if not self.foreign and error.told.get("type") == "UsageProblem":
                    raise UsageProblem(str(error.told.get("text"))) from error
                raise
        try:
            yield answer, ended
        finally:
            shutil.rmtree(answer, ignore_errors=True)

    def _refuse_cpu(self, ended: Message) -> None:
        used = ended["done"].get("device") if isinstance(ended["done"], Mapping) else None
        if self.foreign and self.lane.device == "cuda" and self.about.device is None and used == "cpu":
            msg = "it computed on the CPU although --gpu was given: torch has used no GPU in its process"
            raise CandidateFailed(msg)


def _heard(task: Task, message: Message, hear: Callable[[Message], None] | None) -> None:
    """Show how far a worker is."""
    if isinstance(progress := message.get("progress"), list) and len(progress) == 2:
        task.done, task.total = int(progress[0]), progress[1]
        task.unit = str(message.get("unit", task.unit))
        if not task.paced[0]:
            task.paced = task.began, 0
    if hear is not None:
        hear(message)

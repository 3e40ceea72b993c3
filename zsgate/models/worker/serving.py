"""What runs in the process of a packaged model, or of ``pkg.mod:attr``: it loads the model and answers for it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zsgate.errors import UsageProblem
from zsgate.models import load
from zsgate.models.adapter import Adapter, cannot_hide, predicts_genes
from zsgate.models.user_model import UserModel
from zsgate.models.worker.zsgate_worker import PART, Cells, Channel, write_part, write_predictions
from zsgate.system.processes import end_with
from zsgate.system.progress import BOARD, bars_of_tqdm, write_to

WINDOW = 4096  # cells of a packaged model that are embedded, and kept, at a time; what its runner sorts by length
EVERY = 1.0  # seconds from one look at how far it is to the next
Request = Mapping[str, Any]


def main() -> None:
    """Answer until there are no more requests."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for who asks; here it would look like the model's
    channel = Channel()
    request = channel.asked.get()
    said = request["load"]
    end_with(said["parent"])
    sys.path += [path for path in said["path"] if path not in sys.path]
    from zsgate.models.worker import serving  # under its name, as a key of the store has it

    serving.Server(channel, request).run()


class Server:
    """Answers for one model.

    Parameters
    ----------
    channel
        To whoever asks.
    first
        The first request, which says what to load.
    """

    def __init__(self, channel: Channel, first: Request) -> None:
        self.channel = channel
        self.first = first
        self.model: Adapter | None = None
        self.twins: dict[int, Adapter] = {}
        self.began = 0.0  # when the call began
        self.offset = 0  # cells that were embedded before those of this call

    def run(self) -> None:
        """Answer the first request and all others."""
        write_to(os.open(os.devnull, os.O_WRONLY))  # it is told to whoever asks
        threading.Thread(target=self._tell_progress, daemon=True).start()
        operations = {"embed": self.embed, "reconstruct": self.reconstruct, "targets": self.targets}
        self.channel.answer(self.first, self.hello, **operations, coverage=self.coverage, check=self.check)

    def hello(self) -> dict[str, Any]:
        """Load the model and return what is said of it."""
        said = self.first["load"]
        places = {key: Path(said[key]) for key in ("folder", "weights", "cache") if said.get(key)}
        model = load(said["name"], device=self.first["device"], offline=said["offline"], **places, **said["settings"])
        self.model = model
        can = [name for name in ("embed", "random_init", "reconstruct", "coverage", "check") if hasattr(model, name)]
        about = {**asdict(model.info), "can": can, "fingerprint": model.fingerprint}
        about |= {"draws": len(model.repeats()) if hasattr(model, "repeats") else 1, "cannot_hide": cannot_hide(model)}
        if predicts_genes(model):
            about |= {"scale": model.scale, "heads": list(model.heads)}
        if isinstance(model, UserModel):
            device = getattr(model.model, "device", None)
            can += ["targets"] * hasattr(model.model, "targets")
            return {
                **about,
                "device": device if isinstance(device, str) else None,
                "needs_batches": model.needs_batches,
            }
        about |= {"reads_any_name": getattr(model, "reads_any_name", False), "foreign": False}
        return {**about, "reads_file": getattr(model, "preset", "") == "paper"}

    def embed(self, request: dict[str, Any]) -> None:
        """Embed the cells, part after part."""
        model = self._asked_for(request)

        def rows_of(cells: Cells) -> tuple[Any, Any]:
            self.offset, self.began = cells.start, time.monotonic()
            if isinstance(model, UserModel):
                return model.rows_of(cells.to_anndata()), cells.ids.astype(str)
            dataset = self._dataset(request, cells)
            return model.embed(dataset), dataset.cell_ids

        self.channel.embed_in_parts(request, PART if isinstance(model, UserModel) else WINDOW, rows_of)

    def reconstruct(self, request: Request) -> None:
        """Predict genes."""
        model = self._asked_for(request)
        self.offset, self.began = 0, time.monotonic()
        given = {"masked": request["masked"], "seed": request["seed"]}
        if isinstance(model, UserModel):
            write_predictions(request["output"], model.model.reconstruct(self._anndata(request), **given))
            return
        assert predicts_genes(model)
        write_predictions(request["output"], model.reconstruct(self._dataset(request), **given))

    def targets(self, request: Request) -> None:
        """Give the bins of whole cells."""
        model = self._asked_for(request)
        assert isinstance(model, UserModel)
        values = model.model.targets(self._anndata(request))
        write_part(request["output"], 0, values=values.toarray() if hasattr(values, "toarray") else values)

    def coverage(self, request: Request) -> None:
        """Say how much of the cells' genes the model knows."""
        model: Any = self._asked_for(request)
        self.channel.say(fact=asdict(model.coverage(self._dataset(request))))

    def check(self, request: Request) -> None:
        """Say why the model cannot embed the cells, if that is so."""
        model: Any = self._asked_for(request)
        try:
            model.check(self._dataset(request))
        except UsageProblem as problem:
            self.channel.say(fact=str(problem))
        else:
            self.channel.say(fact="")

    def _asked_for(self, request: Request) -> Any:
        """Return the model or its twin, of which one is held at a time, and the draw that is meant."""
        model: Any = self.model
        if (seed := request.get("twin")) is not None:
            if seed not in self.twins:
                self.twins.clear()
                self.twins[seed] = model.random_init(seed)
            model = self.twins[seed]
        return model.repeats()[request["draw"]] if request.get("draw") else model

    @staticmethod
    def _dataset(request: Request, cells: Cells | None = None) -> Any:
        from zsgate.models.worker.cells_file import read_cells

        return read_cells(cells or Cells(request["input"]), request["name"])

    @staticmethod
    def _anndata(request: Request) -> Any:
        return Cells(request["input"]).to_anndata()

    def _tell_progress(self) -> None:
        """Say how far the step is that goes on, whenever that has changed."""
        told: tuple[str, int] | None = None
        while True:
            time.sleep(EVERY)
            steps = [task for task in (*BOARD.tasks, *bars_of_tqdm(time.monotonic() - self.began)) if task.done]
            if steps and told != (told := (steps[-1].what, steps[-1].done)):
                step = steps[-1]
                shift = self.offset if step.unit == "cell" else 0
                total = None if step.total is None else step.total + shift
                self.channel.say(progress=[step.done + shift, total], unit=step.unit)


if __name__ == "__main__":
    main()

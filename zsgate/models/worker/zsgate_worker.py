"""zsgate_worker: serves a model to zsgate from an environment of its own. It needs NumPy and h5py only; copy it there.

    from zsgate_worker import serve

    def embed(cells):
        return model(cells.to_anndata())  # array (n_cells, n_dimensions), rows in the order of cells.ids

    serve(embed, name="mine", fingerprint="checkpoint-7")

Requests are lines of JSON on standard input, answers lines of JSON on standard output; whatever the model prints goes
to standard error. Arrays lie in files. https://github.com/zsgate/zsgate/blob/main/docs/worker.md has the protocol.
"""

from __future__ import annotations

import inspect
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

PROTOCOL = 1
PART, PART_NAME = 2048, "part-{:09d}.npz"  # cells that are embedded, and kept, at a time; named by the first


class Cells:
    """Some cells of a file that zsgate wrote, which any anndata can read as well: no labels, no donors.

    Attributes
    ----------
    ids, symbols, ensembl_ids, batches
        Names of the cells; of the genes; Ensembl ids of these, or None; the batch of each cell, or None unless asked.
    data, indices, indptr
        Counts by rows (CSR), mapped from the file; what is changed is not written back.
    hidden
        Which entries of ``data`` are hidden, and 0 there; None where all are shown.
    """

    def __init__(self, path: str, start: int = 0, stop: int | None = None) -> None:
        import h5py

        self.path, self.start = path, start
        with h5py.File(path, "r") as file:
            ends = _mapped(file["X/indptr"], path)
            rows = slice(start, len(ends) - 1 if stop is None else stop)
            self.indptr = ends[rows.start : rows.stop + 1] - ends[rows.start]
            stored = slice(int(ends[rows.start]), int(ends[rows.stop]))
            self.data, self.indices = (_mapped(file[f"X/{part}"], path)[stored] for part in ("data", "indices"))
            self.hidden = _mapped(file["layers/hidden/data"], path)[stored] if "hidden" in file["layers"] else None
            self.shape = (len(self.indptr) - 1, int(file["X"].attrs["shape"][1]))
            self.ids = file["obs/_index"].asstr()[rows]
            self.batches = file["obs/batch"].asstr()[rows] if "batch" in file["obs"] else None
            self.symbols = file["var/symbol"].asstr()[:]
            self.ensembl_ids = file["var/ensembl_id"].asstr()[:] if "ensembl_id" in file["var"] else None

    @property
    def counts(self) -> Any:
        """The counts, a scipy.sparse.csr_matrix (n_cells, n_genes)."""
        return self._by_rows(self.data)

    def _by_rows(self, values: Any) -> Any:
        from scipy.sparse import csr_matrix

        return csr_matrix((values, self.indices, self.indptr), shape=self.shape)

    def to_anndata(self) -> Any:
        """Return an AnnData: counts in X, in var symbol and ensembl_id; obs batch and layer hidden where given."""
        import anndata
        import pandas as pd

        obs = pd.DataFrame(index=self.ids)
        var = pd.DataFrame(
            {"symbol": self.symbols}, index=self.symbols if self.ensembl_ids is None else self.ensembl_ids
        )
        if self.ensembl_ids is not None:
            var["ensembl_id"] = self.ensembl_ids
        if self.batches is not None:
            obs["batch"] = pd.Categorical(self.batches)
        layers = {} if self.hidden is None else {"hidden": self._by_rows(self.hidden)}
        return anndata.AnnData(self.counts, obs=obs, var=var, layers=layers)


class Channel:
    """The lines between a worker and zsgate; taken before a model is loaded, so that nothing it prints is on them."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._answers, self._lock = os.fdopen(os.dup(1), "w", encoding="utf-8"), threading.Lock()
        questions = os.fdopen(os.dup(0), encoding="utf-8")
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        self.asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(questions,), daemon=True).start()

    def _listen(self, questions: Iterable[str]) -> None:
        for line in questions:
            self.asked.put(json.loads(line))
        os._exit(0)  # zsgate is gone, or has no more to ask

    def say(self, **answer: Any) -> None:
        """Send an answer."""
        with self._lock:
            self._answers.write(json.dumps(answer) + "\n")
            self._answers.flush()

    def answer(self, first: Any, hello: Callable[[], Any], **operations: Callable[[dict[str, Any]], None]) -> None:
        """Answer the first request, and others until there are no more, each by the function of its name."""
        operations["hello"] = lambda request: self.say(hello={"protocol": PROTOCOL, **hello()})
        while True:
            request, first = first or self.asked.get(), None
            try:
                operations[request["op"]](request)
                self.say(done={"device": used_device()})
            except BaseException as error:  # whatever a model does, zsgate is to know it
                traceback.print_exc()
                sys.stderr.flush()
                self.say(error=describe(error))

    def embed_in_parts(self, request: dict[str, Any], size: int, embed: Callable[[Cells], tuple[Any, Any]]) -> None:
        """Write what ``embed`` returns of some cells at a time, rows and ids, going on where another process ended."""
        n_cells = Cells(request["input"]).shape[0]
        size = n_cells if request.get("whole") else size
        for start in range(0, n_cells, size):
            stop = min(start + size, n_cells)
            if not Path(request["output"], PART_NAME.format(start)).exists():
                rows, ids = embed(Cells(request["input"], start, stop))
                write_part(request["output"], start, X=rows, ids=ids)
            self.say(progress=[stop, n_cells])


def describe(error: BaseException) -> dict[str, Any]:
    """Return what zsgate is told of an error: in one line, where, and whether fewer cells at a time may help."""
    place, kind = traceback.extract_tb(error.__traceback__)[-1], type(error).__name__
    words = f"{kind}: {' '.join(str(error).split())}, {Path(place.filename).name}:{place.lineno}"
    retry = "smaller_batch" if kind in ("OutOfMemoryError", "MemoryError") else None
    number = error.errno if isinstance(error, OSError) else None  # the system's, as where a disk is full
    return {"message": words, "type": kind, "text": str(error), "retry": retry, "errno": number}


def used_device() -> str | None:
    """Return the device that torch has used in this process; None where there is no torch, which says nothing."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda"):
        return None
    return "cuda" if torch.cuda.is_initialized() and torch.cuda.max_memory_allocated() > 0 else "cpu"


def write_part(folder: str, number: int, **arrays: Any) -> None:
    """Write arrays as a part of an answer; it has its name when it is complete, so another process can go on."""
    path = Path(folder, PART_NAME.format(number))
    with path.with_suffix(".partial").open("wb") as stream:
        np.savez(stream, **arrays)
    path.with_suffix(".partial").replace(path)


def write_predictions(folder: str, parts: Iterable[Any]) -> None:
    """Write what ``reconstruct`` yields: mappings, or objects, with the fields of zsgate's ``Reconstruction``."""
    for number, part in enumerate(parts):
        fields = part if isinstance(part, dict) else {name: getattr(part, name) for name in dir(part) if name[0] != "_"}
        names = ("cells", "offsets", "genes", "target", "masked", "noise_floor", "tokens")
        arrays = {name: np.asarray(fields[name]) for name in names if fields.get(name) is not None}
        heads = {f"predictions.{head}": np.asarray(each) for head, each in fields["predictions"].items()}
        write_part(folder, number, scale=np.array(str(fields["scale"])), **arrays, **heads)


def serve(
    embed: Callable[..., Any],
    random_init: Callable[[int], Callable[..., Any]] | None = None,
    reconstruct: Callable[..., Iterable[Any]] | None = None,
    targets: Callable[[Cells], Any] | None = None,
    **about: Any,
) -> None:
    """Serve a model until zsgate has no more to ask; it never returns.

    Parameters
    ----------
    embed
        Takes :class:`Cells`, and ``seed`` and ``batch_size`` if it has parameters of these names; returns an array
        (n_cells, n_dimensions), or a data frame indexed by cell.
    random_init
        Takes a seed; returns another ``embed``, of the same architecture, untrained.
    reconstruct
        Takes :class:`Cells` with counts hidden, ``masked`` (their share) and ``seed``; yields predictions.
    targets
        Takes :class:`Cells`; returns the bins of whole cells, for a ``reconstruct`` on scale ``"bin"``.
    **about
        ``name``, ``fingerprint`` (a string that changes with the weights, else nothing is kept between runs),
        ``dimensions``, ``independent_cells`` (True), ``stochastic`` (False), ``needs_batches`` (False), ``device`` in
        use, ``code_licence``, ``weights_licence``, ``gene_ids``, ``citation``, ``scale`` and ``heads``.
    """
    channel = Channel()
    twins: dict[int, Callable[..., Any]] = {}

    def hello() -> dict[str, Any]:
        offers = {"embed": embed, "random_init": random_init, "reconstruct": reconstruct, "targets": targets}
        return {**about, "can": [name for name, function in offers.items() if function is not None]}

    def embed_cells(request: dict[str, Any]) -> None:
        twin = request.get("twin")
        if twin is not None and twin not in twins:
            assert random_init is not None
            twins.clear()
            twins[twin] = random_init(twin)
        call = embed if twin is None else twins[twin]
        takes = [name for name in ("seed", "batch_size") if name in inspect.signature(call).parameters]
        given = {name: request[name] for name in takes if request.get(name) is not None}
        channel.embed_in_parts(request, PART, lambda cells: as_rows(call(cells, **given), cells.ids))

    def predict(request: dict[str, Any]) -> None:
        assert reconstruct is not None
        parts = reconstruct(Cells(request["input"]), masked=request["masked"], seed=request["seed"])
        write_predictions(request["output"], parts)

    def bins(request: dict[str, Any]) -> None:
        assert targets is not None
        values = targets(Cells(request["input"]))
        values = values.toarray() if hasattr(values, "toarray") else values
        write_part(request["output"], 0, values=np.asarray(values))

    channel.answer(None, hello, embed=embed_cells, reconstruct=predict, targets=bins)


def as_rows(values: Any, ids: Any) -> tuple[Any, Any]:
    """Return (rows as NumPy has them, the cells they belong to as text) of what ``embed`` returned."""
    if hasattr(values, "detach"):  # a tensor, maybe with a gradient, on a GPU or in bfloat16
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() and values.element_size() < 4 else values).numpy()
    if hasattr(values, "index") and hasattr(values, "to_numpy"):  # a data frame
        values, ids = values.to_numpy(), values.index
    rows = np.asarray(values)
    if rows.dtype == object:
        msg = f"embed must return numbers, one row a cell, not {type(values).__name__}"
        raise TypeError(msg)
    return rows, np.array([str(name) for name in ids])


def _mapped(stored: Any, path: str) -> Any:
    """Return an array of a file without reading it; private, so that what is written to it stays in this process."""
    if not stored.size:
        return stored[:]
    # its bytes may lie in a file of their own
    path, offset, _ = stored.external[0] if stored.external else (path, stored.id.get_offset(), 0)
    return np.memmap(path, dtype=stored.dtype, mode="c", offset=offset, shape=stored.shape)

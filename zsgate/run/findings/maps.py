"""Maps of a run: few cells of each dataset in two dimensions, by the candidate and whom it was compared with."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.metrics import METRICS
from zsgate.metrics.neighbours import layout
from zsgate.report.record import MapRecord, VerdictRecord
from zsgate.report.record.maps import SIDE, packed
from zsgate.run.methods import Method
from zsgate.run.run import Run
from zsgate.system.progress import steps
from zsgate.system.sources import code_of

MOST, FEWEST = 4_000, 50  # cells of a map
KIND = "map"  # what it is called in the store
STOPPED = "the drawing of UMAPs was interrupted"
NEEDS = "UMAPs need umap-learn: pip install umap-learn"


def maps(run: Run, verdicts: Sequence[VerdictRecord]) -> Iterator[MapRecord]:
    """Yield the maps of each dataset with a verdict on an embedding; they decide nothing, so a fault is a sentence.

    Parameters
    ----------
    run
        The run, which has the embeddings.
    verdicts
        Whom the candidate was compared with, on what.
    """
    asked = {
        dataset: list(dict.fromkeys(each.baseline for each in verdicts if each.dataset == dataset and _embeds(each)))
        for dataset in dict.fromkeys(each.dataset for each in verdicts if _embeds(each))
    }
    if run.config.no_maps or not asked:
        return
    if importlib.util.find_spec("umap") is None:
        yield from (MapRecord(dataset=dataset, why=NEEDS) for dataset in asked)
        return
    total, stopped = sum(1 + len(names) for names in asked.values()), False
    with steps("drawing UMAPs for the page", total) as advance:
        for dataset, names in asked.items():
            if stopped:
                yield MapRecord(dataset=dataset, why=STOPPED)
                continue
            try:
                yield _record(run, run.dataset(dataset), names, advance)
            except KeyboardInterrupt:  # every test had its turn: what it found is written down, without pictures
                stopped = True
                yield MapRecord(dataset=dataset, why=STOPPED)
            except Exception as error:  # whatever it is, the page is worth more than its pictures
                yield MapRecord(dataset=dataset, why=f"UMAPs could not be drawn: {type(error).__name__}: {error}")


def _embeds(verdict: VerdictRecord) -> bool:
    return verdict.metric in METRICS


def _record(run: Run, dataset: Dataset, names: Sequence[str], advance: Callable[[int], None]) -> MapRecord:
    if dataset.n_cells < FEWEST:
        return MapRecord(dataset=dataset.name, why=f"UMAPs of fewer than {FEWEST} cells say nothing")
    cells = np.arange(dataset.n_cells)
    if len(cells) > MOST:
        cells = np.sort(np.random.default_rng(0).choice(cells, MOST, replace=False))
    methods: list[tuple[str, str]] = []
    for each in (run.candidate, *map(run.method, names)):
        methods += [(each.name, _places(run, each, dataset, cells))] if _has_rows(each) else []
        advance(1)
    types = np.unique(dataset.cell_types, return_inverse=True)[1]
    batch_names, batches = (
        (np.array([]), None) if dataset.batches is None else np.unique(dataset.batches, return_inverse=True)
    )
    return MapRecord(
        dataset=dataset.name,
        n_cells=len(cells),
        methods=tuple(methods),
        cell_types=_packed(types[cells]),
        batches="" if batches is None else _packed(batches[cells]),
        batch_names=tuple(map(str, batch_names)),
    )


def _has_rows(method: Method) -> bool:
    """Return whether a method can embed: an earlier run of which only scores are known cannot."""
    return getattr(method, "model", method) is not None


def _places(run: Run, method: Method, dataset: Dataset, cells: npt.NDArray[np.intp]) -> str:
    rows = np.asarray(method.embed(dataset).draws[0][cells], dtype=np.float32)
    key = {"rows": hashlib.sha256(rows.tobytes()).hexdigest(), "shape": rows.shape, "code": code_of(layout.__name__)}
    (places,), _ = run.ledger.lasting.arrays(KIND, key, lambda: ([layout.layout(rows)], {}))
    return _packed(np.rint(places * (SIDE - 1)))


def _packed(values: npt.NDArray[np.generic]) -> str:
    return packed(values.astype("<u2").tobytes())

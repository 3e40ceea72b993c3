"""Copies: what a method makes of perturbed cells, beside what it makes of the same cells unperturbed.

The candidate and its untrained twins embed the perturbed cells as they embed any. What a baseline learnt of the
unperturbed cells (genes, axes, an encoder) is applied to the perturbed ones: it must not learn them away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zsgate.data.catalogue.sample import draw_within_donors
from zsgate.data.dataset import Dataset
from zsgate.metrics.robustness.metric import Copies, RobustnessMetric
from zsgate.models.adapter import Adapter
from zsgate.models.embedding import Embedding, check_rows
from zsgate.run import embeddings
from zsgate.run.checks import stability
from zsgate.run.embeddings import BaselineMaker
from zsgate.run.ledger import Ledger, Made
from zsgate.run.methods import Method
from zsgate.run.reference import Reference
from zsgate.system.processes import time_limit
from zsgate.system.progress import waiting

MOST_CELLS = 1_500  # that are perturbed and embedded once more, for each perturbation


class Makes(Protocol):
    """What is asked of a run."""

    @property
    def ledger(self) -> Ledger:
        """Where what is made is kept."""
        ...

    def embedded(self, name: str) -> Dataset:
        """Return the cells of a dataset that candidate and baselines embed."""
        ...

    def embedding(self, method: Method, dataset: Dataset) -> Embedding:
        """Return the checked embedding of a method."""
        ...

    def maker(self, baseline: str) -> BaselineMaker:
        """Return the function of a baseline with what it may ask for."""
        ...

    def limit(self, method: Method) -> float | None:
        """Return how many seconds a method may take."""
        ...


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cells of a dataset, at positions ``rows``, unperturbed and perturbed."""

    rows: npt.NDArray[np.intp]
    unperturbed: Dataset
    perturbed: Dataset


class Copier:
    """Makes embeddings of perturbed cells for a run, each once.

    Parameters
    ----------
    run
        The run.
    """

    def __init__(self, run: Makes) -> None:
        self.run = run
        self._cells: dict[tuple[str, str], _Cells] = {}
        self._made: dict[tuple[str, str, str], Copies | Exception] = {}

    def __call__(self, method: Method, dataset: Dataset, metric: RobustnessMetric) -> Copies:
        """Return the embeddings of a method of perturbed and unperturbed cells.

        Raises
        ------
        CandidateFailed, BaselineFailed
            If they cannot be had; a second request fails at once with the same words.
        """
        key = (method.name, dataset.name, metric.name)
        originals = self.run.embedding(method, dataset)
        if key not in self._made:
            cells = self.cells(dataset, metric)
            try:
                with time_limit(self.run.limit(method), f"embedding {len(cells.rows)} perturbed cells"):
                    perturbed = self._embed(method, cells, dataset.name, metric.name)
                made = replace(originals, draws=perturbed, notes={})
                self._made[key] = Copies(originals.rows(cells.rows), made, cells.unperturbed)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the boundary to code that is not ours: any failure, or exit, has an owner
                self._made[key] = method.failed(f"on {cells.perturbed.name}", error)
        found = self._made[key]
        if isinstance(found, Exception):
            raise found
        return found

    def is_kept(self, method: Method, dataset: Dataset, metric: RobustnessMetric) -> bool:
        """Return whether the store has a method's embedding of the perturbed cells."""
        key, lasts = self._key(method, self.cells(dataset, metric), dataset.name)
        return self.run.ledger.store(lasts=lasts).has("embedding", key)

    def cells(self, dataset: Dataset, metric: RobustnessMetric) -> _Cells:
        """Return the cells that are compared, at most 1,500 of a dataset, drawn within donors."""
        key = (dataset.name, metric.name)
        if key not in self._cells:
            rows = draw_within_donors(dataset, MOST_CELLS)
            some = dataset if rows is None else dataset.subset(rows)
            rows = np.arange(dataset.n_cells) if rows is None else rows
            self._cells[key] = _Cells(rows, some, metric.perturbation(some))
        return self._cells[key]

    def _embed(self, method: Method, cells: _Cells, dataset: str, metric: str) -> tuple[npt.NDArray[Any], ...]:
        ledger, who, started = self.run.ledger, method.name, time.perf_counter()
        key, lasts = self._key(method, cells, dataset)
        store = ledger.store(lasts=lasts)
        cached = store.has("embedding", key)

        def compute() -> Made:
            draws = self._draws(method, cells.perturbed, dataset)
            return [check_rows(draw, source=who, n_cells=len(cells.rows)) for draw in draws], {}

        with waiting(f"{who}: embedding {cells.perturbed.name}", background=True):
            draws, _ = store.arrays("embedding", key, compute)
        ledger.timed(f"embed {who}, {metric}", dataset, started, cached=cached)
        return draws

    def _draws(self, method: Method, perturbed: Dataset, dataset: str) -> list[npt.NDArray[Any]]:
        if model := _model_of(method):
            return [each.embed(perturbed) for each in stability.draws_of(model)]
        maker = self.run.maker(method.name)
        if maker.learns:
            learnt = embeddings.learnt_by(method.name, maker, self.run.embedded(dataset), self.run.ledger)
            rows: list[npt.NDArray[Any]] = resolve_name(f"{maker.function.__module__}:project")(learnt, perturbed)
            return rows
        return maker.make(perturbed, lambda _: None)[0]

    def _key(self, method: Method, cells: _Cells, dataset: str) -> tuple[dict[str, Any], bool]:
        """Return (what decides the rows, whether later runs may be served the same)."""
        learns = _model_of(method) is None and self.run.maker(method.name).learns
        of = self.run.embedded(dataset) if learns else cells.perturbed
        key, lasts = key_of(method, of, self.run.maker, self.run.ledger)
        return {**key, "perturbed": cells.perturbed.digest}, lasts


def key_of(
    method: Method, dataset: Dataset, maker: Callable[[str], BaselineMaker], ledger: Ledger
) -> tuple[dict[str, Any], bool]:
    """Return (what decides a method's rows of a dataset, whether later runs may be served the same)."""
    if model := _model_of(method):
        return embeddings.key_of_model(method.name, model, dataset, ledger)
    return embeddings.key_of_baseline(method.name, maker(method.name), dataset, ledger)


def _model_of(method: Method) -> Adapter | None:
    """Return the model that embeds for a method; None of a baseline."""
    model: Adapter | None = getattr(method, "model", None)
    assert model is not None or not isinstance(method, Reference), "scores of an earlier run are not embedded"
    return model

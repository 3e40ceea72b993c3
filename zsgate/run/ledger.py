"""Ledger: what a run makes, where it is kept, and the time that each thing took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from zsgate.report.record import TimingRecord
from zsgate.run.checks.imported import NOTE, Again, forget, proven
from zsgate.system.parallel.parts import Parts, is_asked
from zsgate.system.progress import waiting
from zsgate.system.store import Store

Made = tuple[Sequence[npt.NDArray[Any]], Mapping[str, Any]]  # arrays, and notes about how they were made


@dataclass(frozen=True)
class Ledger:
    """The two stores of a run, and its timings.

    Attributes
    ----------
    lasting
        What is kept between runs.
    scratch
        What is kept for this run only, shared by its workers: what is made by models without a fingerprint.
    timings
        What took time, in the order of completion.
    proofs
        What tells the rows of a model of somebody else's from those of other code, by fingerprint and dataset.
    """

    lasting: Store
    scratch: Store
    timings: list[TimingRecord] = field(default_factory=list)
    proofs: dict[tuple[str, str], str | None] = field(default_factory=dict, repr=False)

    def store(self, *, lasts: bool) -> Store:
        """Return the store for what may be served to later runs, or for what may not."""
        return self.lasting if lasts else self.scratch

    def embedding(
        self, who: str, again: Again, key: Mapping[str, Any], compute: Callable[[Parts], Made], *, lasts: bool
    ) -> tuple[tuple[npt.NDArray[Any], ...], Mapping[str, Any]]:
        """Return draws (n_cells, n_dimensions) and notes, made the first time, and note what that took.

        Parameters
        ----------
        who
            Name of the method.
        again
            The dataset, and how few of its cells can be embedded again, by which an imported embedding is proven.
        key
            JSON-able content that decides the rows.
        compute
            Makes them, and keeps parts of them until all is kept.
        lasts
            Whether later runs may be served the same.
        """
        store, started = self.store(lasts=lasts), time.perf_counter()
        cached, dataset = store.has("embedding", key), again.dataset.name
        parts = Parts(store, "embedding", key)

        def make() -> Made:
            trusted = proven(key, again, store) if lasts and not is_asked() else None
            return trusted or compute(parts)

        with waiting(f"{who}: embedding {dataset}", background=True):
            draws, notes = store.arrays("embedding", key, make, again.about)
            parts.drop()
        if NOTE in notes:
            cached = True  # for a forecast: hardly anything was embedded
            forget(key, store)
        self.timed(f"embed {who}", dataset, started, cached=cached, who=who, notes=notes)
        return draws, notes

    def timed(self, what: str, dataset: str, started: float, **rest: Any) -> None:
        """Note a step that began at ``started``, in seconds of :func:`time.perf_counter`.

        Parameters
        ----------
        what, dataset, started
            The step, on which dataset, since when.
        **rest
            Other fields of :class:`TimingRecord`: whether it was ``cached``, ``who`` was embedded, ``notes``.
        """
        seconds = round(time.perf_counter() - started, 3)
        self.timings.append(TimingRecord(what=what, dataset=dataset, seconds=seconds, **rest))

"""Cache: what several metrics share of one embedding is computed once, in this process and in the store.

A part is builtins: for each draw a list with the value of everybody and then without each unit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from zsgate.metrics.cells import Cells
from zsgate.models.embedding import Embedding
from zsgate.system.parallel.parts import Parts
from zsgate.system.sources import code_of
from zsgate.verdict.recipe import Recipe

MANY = 10_000  # cells from which a part takes so long that what is done of it is kept
T = TypeVar("T")
Part = dict[str, list[list[float]]]


def _one(_: object) -> int:
    return 1


@dataclass
class Recent(Generic[T]):
    """The most recent results, at most ``size`` of them, for threads that compute side by side.

    Attributes
    ----------
    size
        How many are kept; in the unit of ``weight``.
    weight
        What a result counts.
    """

    size: int
    weight: Callable[[T], int] = _one

    def __post_init__(self) -> None:
        self._results: OrderedDict[Hashable, T] = OrderedDict()
        self._kept, self._lock = 0, Lock()
        _EVERY_RECENT.append(self)

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result of ``key``, computing it if it is not among the recent ones."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        found = compute()
        with self._lock:
            if key not in self._results:  # no other thread was faster
                self._results[key] = found
                self._kept += self.weight(found)
            while self._kept > self.size:
                self._kept -= self.weight(self._results.popitem(last=False)[1])
        return found

    def clear(self) -> None:
        """Drop all results."""
        with self._lock:
            self._results.clear()
            self._kept = 0


_EVERY_RECENT: list[Recent[Any]] = []
_PARTS: Recent[Part] = Recent(64)


def forget() -> None:
    """Drop all results that this process remembers; those in the store stay."""
    for recent in _EVERY_RECENT:
        recent.clear()


@dataclass(frozen=True, slots=True)
class Scored:
    """What is scored, and how: together they decide the value of every part.

    Attributes
    ----------
    embedding
        Rows of the cells, with the store they came from.
    cells
        Labels, batches and units of the rows.
    recipe
        Choices that shape the value.
    """

    embedding: Embedding
    cells: Cells
    recipe: Recipe


def cached(
    part: str, scored: Scored, module: str, compute: Callable[[], Part], rest: Mapping[str, str | int] | None = None
) -> Part:
    """Return a part from this process, else from the store, else computed.

    Parameters
    ----------
    part
        Its name.
    scored
        What is scored, and how.
    module
        Name of the module whose code computes it: an edit there, or in what it imports, is another key.
    compute
        Returns the part.
    rest
        What else decides it.
    """
    return cached_in_parts(part, scored, module, lambda _: compute(), rest)


def cached_in_parts(
    part: str,
    scored: Scored,
    module: str,
    compute: Callable[[Parts], Part],
    rest: Mapping[str, str | int] | None = None,
) -> Part:
    """Return a part as :func:`cached` does; of many cells, what is done of it is kept while it is computed.

    Parameters
    ----------
    part, scored, module, rest
        As there.
    compute
        Returns the part; given what keeps its own parts.
    """
    embedding = scored.embedding
    key: dict[str, str | int] = {
        "part": part,
        "embedding": embedding.digest,
        "cells": scored.cells.digest,
        "recipe": scored.recipe.hash,
        "code": code_of(module),
        **(rest or {}),
    }
    store = embedding.store
    if store is None:
        return _PARTS.get(tuple(key.items()), lambda: compute(Parts()))
    parts = Parts(store if scored.cells.n_cells >= MANY else None, part, key)
    found = _PARTS.get(tuple(key.items()), lambda: store.json("score", key, lambda: compute(parts)))
    parts.drop()
    return found

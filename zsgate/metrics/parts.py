"""Parts: what several metrics share of one embedding, computed once and kept in the store.

A part is builtins: for each draw a list with the value of everybody and then without each unit.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from zsgate.embedding import Embedding
from zsgate.metrics.agreement import ari_columns, contingency, nmi_columns
from zsgate.metrics.cells import Cells
from zsgate.metrics.silhouette import Pass, distance_pass
from zsgate.recipe import Recipe

T = TypeVar("T")
Part = dict[str, list[list[float]]]


@dataclass
class Recent(Generic[T]):
    """The most recent results, at most ``size`` of them."""

    size: int
    kept: OrderedDict[Hashable, T] = field(default_factory=OrderedDict)

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result of ``key``, computing it if it is not among the recent ones."""
        if key not in self.kept:
            self.kept[key] = compute()
        self.kept.move_to_end(key)
        while len(self.kept) > self.size:
            self.kept.popitem(last=False)
        return self.kept[key]


_passes: Recent[Pass] = Recent(8)
_parts: Recent[Part] = Recent(64)


@cache
def code_digest() -> str:
    """SHA-256 of this package's source and of the versions that compute: a change serves no stale score."""
    sha = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(path.name.encode() + path.read_bytes())
    for name in ("numpy", "igraph"):
        sha.update(f"{name}=={version(name)}".encode())
    return sha.hexdigest()


def silhouettes(embedding: Embedding, cells: Cells, recipe: Recipe) -> Part:
    """Return the columns of ``asw`` and ``batch_score`` of each draw."""

    def compute() -> Part:
        passes = [_pass(embedding, cells, recipe, draw) for draw in range(len(embedding.draws))]
        return {
            "asw": [one.asw.tolist() for one in passes],
            "batch_score": [one.batch_score.tolist() for one in passes],
        }

    return _kept("silhouettes", embedding, cells, recipe, {}, compute)


def agreements(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Part:
    """Return the columns of ``nmi`` and ``ari`` of each clustering.

    One clustering for each of several draws, draw s with seed s; ``seeds`` clusterings of a single draw.
    Each takes the resolution whose partition has the best NMI with everybody; leave-outs keep that partition.
    """

    def compute() -> Part:
        best = [
            table
            for draw in range(len(embedding.draws))
            for table in _best_tables(embedding, cells, recipe, draw, _seeds_of(embedding, draw, seeds))
        ]
        return {
            "nmi": [nmi_columns(table).tolist() for table in best],
            "ari": [ari_columns(table).tolist() for table in best],
        }

    return _kept("agreements", embedding, cells, recipe, {"seeds": seeds}, compute)


def _seeds_of(embedding: Embedding, draw: int, seeds: int) -> range:
    return range(seeds) if len(embedding.draws) == 1 else range(draw, draw + 1)


def _best_tables(
    embedding: Embedding, cells: Cells, recipe: Recipe, draw: int, seeds: range
) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return for each seed the contingency table of the partition with the best NMI."""
    from zsgate.metrics.clustering import NeighbourGraph

    neighbours = _pass(embedding, cells, recipe, draw).neighbours
    graph = NeighbourGraph.of(embedding.draws[draw], neighbours)
    best = []
    for seed in seeds:
        tables = [contingency(found, cells) for found in graph.louvain(recipe.resolutions, seed)]
        best.append(max(tables, key=lambda table: float(nmi_columns(table[:, :, :1])[0])))
    return best


def _pass(embedding: Embedding, cells: Cells, recipe: Recipe, draw: int) -> Pass:
    n_nearest = min(recipe.n_neighbors - 1, cells.n_cells - 1)
    key = (embedding.digest, draw, cells.digest, n_nearest)
    return _passes.get(key, lambda: distance_pass(embedding.draws[draw], cells, n_nearest))


def _kept(
    part: str,
    embedding: Embedding,
    cells: Cells,
    recipe: Recipe,
    rest: dict[str, int],
    compute: Callable[[], Part],
) -> Part:
    """Return the part from this process, else from the store, else computed."""
    key = {
        "part": part,
        "embedding": embedding.digest,
        "cells": cells.digest,
        "recipe": recipe.hash,
        "code": code_digest(),
    } | rest
    store = embedding.store
    load = compute if store is None else lambda: store.json("score", key, compute)
    return _parts.get(tuple(key.items()), load)

"""Parts: what several metrics share of one embedding, computed once and kept in the store.

A part is builtins: for each draw a list with the value of everybody and then without each unit.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from zsgate import spill
from zsgate.embedding import Embedding
from zsgate.metrics.agreement import ari_columns, contingency, nmi_columns
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.clustering import NeighbourGraph
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
    """Return the columns of ``asw`` and ``batch_score`` of each draw, and the flattened ``label_widths``."""

    def compute() -> Part:
        passes = [_pass(embedding, cells, recipe, draw) for draw in range(len(embedding.draws))]
        return {
            "asw": [one.asw.tolist() for one in passes],
            "batch_score": [one.batch_score.tolist() for one in passes],
            "label_widths": [one.label_widths.ravel().tolist() for one in passes],
        }

    return kept("silhouettes", embedding, cells, recipe, {}, compute)


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

    return kept("agreements", embedding, cells, recipe, {"seeds": seeds}, compute)


def halves(embedding: Embedding, cells: Cells, recipe: Recipe, of: str) -> Part:
    """Return ``asw``, ``nmi`` and ``ari`` in the two halves of each random split, as on the cells of a half alone.

    Split s takes draw s (modulo their number) and clusters once, with seed s.

    Parameters
    ----------
    embedding, cells, recipe
        What is scored, and how.
    of
        What is split: ``"units"`` or ``"cells"``.
    """

    def compute() -> Part:
        found: Part = {"asw": [], "nmi": [], "ari": []}
        for split, pair in enumerate(cells.halves(of)):
            draw = embedding.draws[split % len(embedding.draws)]
            scores = [_alone(spill.take(draw, half), cells.take(half), recipe, split) for half in pair]
            for name, values in zip(found, zip(*scores, strict=True), strict=True):
                found[name].append(list(values))
        return found

    return kept(f"halves of {of}", embedding, cells, recipe, {}, compute)


def _alone(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe, seed: int) -> tuple[float, float, float]:
    """Return asw, nmi and ari of these cells with one clustering; NaN with fewer than two labels."""
    if len(np.unique(cells.labels)) < 2:
        return math.nan, math.nan, math.nan
    measured = distance_pass(rows, cells, _n_nearest(cells, recipe))
    table = _best_table(NeighbourGraph.of(rows, measured.neighbours), cells, recipe, seed)
    return float(measured.asw[0]), float(nmi_columns(table)[0]), float(ari_columns(table)[0])


def _seeds_of(embedding: Embedding, draw: int, seeds: int) -> range:
    return range(seeds) if len(embedding.draws) == 1 else range(draw, draw + 1)


def _best_tables(embedding: Embedding, cells: Cells, recipe: Recipe, draw: int, seeds: range) -> list[Floats]:
    """Return for each seed the contingency table of the partition with the best NMI."""
    neighbours = _pass(embedding, cells, recipe, draw).neighbours
    graph = NeighbourGraph.of(embedding.draws[draw], neighbours)
    return [_best_table(graph, cells, recipe, seed) for seed in seeds]


def _best_table(graph: NeighbourGraph, cells: Cells, recipe: Recipe, seed: int) -> Floats:
    """Return the contingency table of the partition with the best NMI, the first of equal ones."""
    tables = (contingency(found, cells) for found in graph.louvain(recipe.resolutions, seed))
    return max(tables, key=lambda table: float(nmi_columns(table[:, :, :1])[0]))


def _n_nearest(cells: Cells, recipe: Recipe) -> int:
    return min(recipe.n_neighbors - 1, cells.n_cells - 1)


def _pass(embedding: Embedding, cells: Cells, recipe: Recipe, draw: int) -> Pass:
    n_nearest = _n_nearest(cells, recipe)
    key = (embedding.digest, draw, cells.digest, n_nearest)
    return _passes.get(key, lambda: distance_pass(embedding.draws[draw], cells, n_nearest))


def kept(
    part: str,
    embedding: Embedding,
    cells: Cells,
    recipe: Recipe,
    rest: Mapping[str, Any],
    compute: Callable[[], Part],
) -> Part:
    """Return the part from this process, else from the store, else computed."""
    key = {
        "part": part,
        "embedding": embedding.digest,
        "cells": cells.digest,
        "recipe": recipe.hash,
        "code": code_digest(),
        **rest,
    }
    store = embedding.store
    load = compute if store is None else lambda: store.json("score", key, compute)
    return _parts.get(tuple(key.items()), load)

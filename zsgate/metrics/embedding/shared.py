"""Parts: what several metrics share of one embedding, computed once and kept in the store.

A part is builtins: for each draw a list with the value of everybody and then without each unit.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import starmap
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.agreement import ari_columns, contingency, f1_columns, nmi_columns
from zsgate.metrics.embedding.clustering import NeighbourGraph
from zsgate.metrics.embedding.silhouette import Pass, distance_pass
from zsgate.models.embedding import Embedding
from zsgate.system import arrays as spill
from zsgate.system.sources import code_of
from zsgate.system.workers import WORKERS
from zsgate.verdict.recipe import Recipe

T = TypeVar("T")
Part = dict[str, list[list[float]]]
Columns = tuple[list[float], list[float], list[float]]
Clustering = tuple[NeighbourGraph | None, Cells, Recipe, int]  # the last is the seed
# cells clustered side by side: fewer take no longer than handing them over, and the graph of many takes each process
# close to a gigabyte
SIDE_BY_SIDE = range(1000, 100_000)


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
    """Return the columns of ``nmi`` and ``ari`` of each clustering, and the flattened ``label_f1``.

    One clustering for each of several draws, draw s with seed s; ``seeds`` clusterings of a single draw.
    Each takes the resolution whose partition has the best NMI with everybody, a label's F1 the one that suits it best;
    leave-outs keep that partition.
    """

    def compute() -> Part:
        def jobs() -> Iterator[Clustering]:
            for draw in range(len(embedding.draws)):
                graph = NeighbourGraph.of(embedding.draws[draw], _pass(embedding, cells, recipe, draw).neighbours)
                for seed in range(seeds) if len(embedding.draws) == 1 else (draw,):
                    yield graph, replace(cells, dataset=None), recipe, seed

        return _named(_clustered(cells.n_cells, jobs()))

    return kept("agreements", embedding, cells, recipe, {"seeds": seeds}, compute)


def halves(embedding: Embedding, cells: Cells, recipe: Recipe, of: str) -> Part:
    """Return ``asw``, ``nmi`` and ``ari`` in the two halves of each random split, as on the cells of a half alone.

    ``label_f1`` holds those of the halves' labels, first one half, then the other; empty where one cannot be scored.
    Split s takes draw s (modulo their number) and clusters once, with seed s.

    Parameters
    ----------
    embedding, cells, recipe
        What is scored, and how.
    of
        What is split: ``"units"`` or ``"cells"``.
    """

    def compute() -> Part:
        asw: list[float] = []

        def jobs() -> Iterator[Clustering]:
            for split, pair in enumerate(cells.halves(of)):
                draw = embedding.draws[split % len(embedding.draws)]
                for half in pair:
                    some = cells.take(half)
                    width, graph = _alone(spill.take(draw, half), some, recipe)
                    asw.append(width)
                    yield graph, some, recipe, split

        found = _named(_clustered(cells.n_cells, jobs()))
        first = {"asw": asw, **{name: [column[0] for column in found[name]] for name in ("nmi", "ari")}}
        pairs = {name: np.reshape(values, (-1, 2)).tolist() for name, values in first.items()}
        return {**pairs, "label_f1": found["label_f1"]}

    return kept(f"halves of {of}", embedding, cells, recipe, {}, compute)


def _alone(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> tuple[float, NeighbourGraph | None]:
    """Return asw and the graph of these cells; NaN and None with fewer than two labels."""
    if len(np.unique(cells.labels)) < 2:
        return math.nan, None
    measured = distance_pass(rows, cells, _n_nearest(cells, recipe))
    return float(measured.asw[0]), NeighbourGraph.of(rows, measured.neighbours)


def _clustered(n_cells: int, jobs: Iterator[Clustering]) -> list[Columns]:
    """Return what each clustering comes to; side by side where that pays and the run allows it."""
    if n_cells not in SIDE_BY_SIDE:
        return list(starmap(_best, jobs))
    return WORKERS.starmap(_best, jobs)


def _named(found: list[Columns]) -> Part:
    return {name: list(each) for name, each in zip(("nmi", "ari", "label_f1"), zip(*found, strict=True), strict=True)}


def _best(graph: NeighbourGraph | None, cells: Cells, recipe: Recipe, seed: int) -> Columns:
    """Return the columns of nmi and ari of the partition with the best NMI, and each label's best F1, flattened.

    Of equally good partitions the first counts.
    """
    if graph is None:
        return [math.nan], [math.nan], []
    best, quality, f1 = np.empty(0), -1.0, np.full((1, len(cells.weights[0])), -1.0)
    for found in graph.louvain(recipe.resolutions, seed):
        table = contingency(found, cells)
        if (nmi := float(nmi_columns(table[:, :, :1])[0])) > quality:
            best, quality = table, nmi
        of_labels = f1_columns(table)
        f1 = np.where(of_labels[:, :1] > f1[:, :1], of_labels, f1)
    return nmi_columns(best).tolist(), ari_columns(best).tolist(), f1.ravel().tolist()


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
    module: str = __name__,
) -> Part:
    """Return the part from this process, else from the store, else computed by the code of a module."""
    key = {
        "part": part,
        "embedding": embedding.digest,
        "cells": cells.digest,
        "recipe": recipe.hash,
        "code": code_of(module),
        **rest,
    }
    store = embedding.store
    load = compute if store is None else lambda: store.json("score", key, compute)
    return _parts.get(tuple(key.items()), load)

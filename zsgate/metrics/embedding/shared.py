"""Shared by the clustering metrics: the partition that fits the cell types best, with everybody and in halves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import starmap
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cache import Part, Scored, cached
from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.clustering import NeighbourGraph
from zsgate.metrics.embedding.contingency import ari_columns, contingency, f1_columns, nmi_columns
from zsgate.metrics.embedding.distance_pass import distance_pass, neighbours_in_graph, pass_of_draw
from zsgate.models.embedding import Embedding
from zsgate.system import arrays
from zsgate.system.workers import WORKERS
from zsgate.verdict.recipe import Recipe

# cells clustered side by side: fewer take no longer than handing them over, and the graph of many takes each process
# close to a gigabyte
SIDE_BY_SIDE = range(1000, 100_000)
ROUNDING = 1e-12  # partitions whose NMI differs by less are equally good: sums in another order differ by as much


class Clustering(NamedTuple):
    """One clustering to be made: of a graph of these cells (None where they cannot be scored), under a seed."""

    graph: NeighbourGraph | None
    cells: Cells
    recipe: Recipe
    seed: int


class Agreement(NamedTuple):
    """What a clustering comes to: columns of ``nmi`` and ``ari``, and the flattened columns of each label's F1."""

    nmi: list[float]
    ari: list[float]
    label_f1: list[float]


def agreements(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Part:
    """Return the columns of ``nmi`` and ``ari`` of each clustering, and the flattened ``label_f1``.

    One clustering for each of several draws, draw s with seed s; ``seeds`` clusterings of a single draw.
    Each takes the resolution whose partition has the best NMI with everybody, a label's F1 the one that suits it best;
    leave-outs keep that partition.
    """

    def compute() -> Part:
        def jobs() -> Iterator[Clustering]:
            for draw in range(len(embedding.draws)):
                neighbours = pass_of_draw(embedding, cells, recipe, draw).neighbours
                graph = NeighbourGraph.of(embedding.draws[draw], neighbours)
                for seed in range(seeds) if len(embedding.draws) == 1 else (draw,):
                    yield Clustering(graph, replace(cells, dataset=None), recipe, seed)

        return _by_name(_clustered(cells.n_cells, jobs()))

    return cached("agreements", Scored(embedding, cells, recipe), __name__, compute, {"seeds": seeds})


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
                    width, graph = _alone(arrays.take(draw, half), some, recipe)
                    asw.append(width)
                    yield Clustering(graph, some, recipe, split)

        found = _by_name(_clustered(cells.n_cells, jobs()))
        first = {"asw": asw, **{name: [column[0] for column in found[name]] for name in ("nmi", "ari")}}
        pairs = {name: np.reshape(values, (-1, 2)).tolist() for name, values in first.items()}
        return {**pairs, "label_f1": found["label_f1"]}

    return cached(f"halves of {of}", Scored(embedding, cells, recipe), __name__, compute)


def _alone(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> tuple[float, NeighbourGraph | None]:
    """Return asw and the graph of these cells; NaN and None with fewer than two labels."""
    if len(np.unique(cells.labels)) < 2:
        return math.nan, None
    measured = distance_pass(rows, cells, neighbours_in_graph(cells, recipe))
    return float(measured.asw[0]), NeighbourGraph.of(rows, measured.neighbours)


def _clustered(n_cells: int, jobs: Iterator[Clustering]) -> list[Agreement]:
    """Return what each clustering comes to; side by side where that pays and the run allows it."""
    if n_cells not in SIDE_BY_SIDE:
        return list(starmap(_best, jobs))
    return WORKERS.starmap(_best, jobs)


def _by_name(found: list[Agreement]) -> Part:
    return {name: [getattr(each, name) for each in found] for name in Agreement._fields}


def _best(graph: NeighbourGraph | None, cells: Cells, recipe: Recipe, seed: int) -> Agreement:
    """Return the agreement of the partition with the best NMI, and each label's best F1.

    Of equally good partitions the first counts.
    """
    if graph is None:
        return Agreement([math.nan], [math.nan], [])
    best, quality, f1 = np.empty(0), -1.0, np.full((1, len(cells.weights[0])), -1.0)
    for found in graph.louvain(recipe.resolutions, seed):
        table = contingency(found, cells)
        if (nmi := float(nmi_columns(table[:, :, :1])[0])) > quality + ROUNDING:
            best, quality = table, nmi
        of_labels = f1_columns(table)
        f1 = np.where(of_labels[:, :1] > f1[:, :1], of_labels, f1)
    return Agreement(nmi_columns(best).tolist(), ari_columns(best).tolist(), f1.ravel().tolist())

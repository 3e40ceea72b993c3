"""Shared by the clustering metrics: the partition that fits the cell types best, with everybody and in halves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cache import Part, Scored, cached
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.clustering.graph import Partition
from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
from zsgate.metrics.embedding.contingency import ari_columns, contingency, everybody, f1_columns, nmi_columns
from zsgate.metrics.embedding.distance_pass import distance_pass, neighbours_in_graph, pass_of_draw
from zsgate.models.embedding import Embedding
from zsgate.system import arrays
from zsgate.system.parallel.threads import side_by_side
from zsgate.verdict.recipe import Recipe

ROUNDING = 1e-12  # scores that differ by less are equally good: sums in another order differ by as much


class Clustering(NamedTuple):
    """One clustering to be made of these cells.

    ``partition`` makes a partition from a resolution and a seed; it is None where the cells cannot be scored.
    """

    partition: Callable[[float, int], Partition] | None
    cells: Cells
    recipe: Recipe
    seed: int

    @property
    def calls(self) -> list[Callable[[], Partition]]:
        """What makes its partitions, one a resolution."""
        if self.partition is None:
            return []
        return [partial(self.partition, resolution, self.seed) for resolution in self.recipe.resolutions]


class Agreement(NamedTuple):
    """What a clustering comes to: columns of ``nmi`` and ``ari``, and the flattened columns of each label's F1.

    ``confusion`` holds the flattened numbers of cells by cluster and label in the partition with the best NMI.
    """

    nmi: list[float]
    ari: list[float]
    label_f1: list[float]
    confusion: list[float]


def agreements(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Part:
    """Return the columns of ``nmi`` and ``ari`` of each clustering, and the flattened ``label_f1`` and ``confusion``.

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
                    yield Clustering(graph.recalled, cells, recipe, seed)

        return _clustered(jobs())

    return cached("agreements", Scored(embedding, cells, recipe), __name__, compute, {"seeds": seeds})


def halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Part:
    """Return ``asw``, ``nmi`` and ``ari`` in the two halves of each split, as on the cells of a half alone.

    ``label_f1`` holds those of the halves' labels, first one half, then the other; empty where one cannot be scored.
    Split s takes draw s (modulo their number) and clusters once, with seed s.
    """

    def compute() -> Part:
        asw: list[float] = []

        def jobs() -> Iterator[Clustering]:
            for split, pair in enumerate(cells.halves):
                draw = embedding.draws[split % len(embedding.draws)]
                for half in pair:
                    some = cells.take(half)
                    width, graph = _alone(arrays.take(draw, half), some, recipe)
                    asw.append(width)
                    yield Clustering(None if graph is None else graph.partition, some, recipe, split)

        found = _clustered(jobs())
        first = {"asw": asw, **{name: [column[0] for column in found[name]] for name in ("nmi", "ari")}}
        pairs = {name: np.reshape(values, (-1, 2)).tolist() for name, values in first.items()}
        return {**pairs, "label_f1": found["label_f1"]}

    return cached("halves", Scored(embedding, cells, recipe), __name__, compute)


def _alone(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> tuple[float, NeighbourGraph | None]:
    """Return asw and the graph of these cells; NaN and None with fewer than two labels."""
    if len(np.unique(cells.labels)) < 2:
        return math.nan, None
    measured = distance_pass(rows, cells, neighbours_in_graph(cells, recipe))
    return float(measured.asw[0]), NeighbourGraph.of(rows, measured.neighbours)


def _clustered(clusterings: Iterator[Clustering]) -> Part:
    """Return what the clusterings come to; threads make their partitions while the next graph is made."""
    swept = side_by_side((each, each.calls) for each in clusterings)
    found = [_best(each.cells, partitions) for each, partitions in swept]
    return {name: [getattr(each, name) for each in found] for name in Agreement._fields}


def _best(cells: Cells, partitions: list[Partition]) -> Agreement:
    """Return the agreement of the partition with the best NMI, and each label's F1 in the one that suits it best.

    Leave-outs keep these partitions.
    """
    if not partitions:
        return Agreement([math.nan], [math.nan], [], [])
    tables = [everybody(partition, cells) for partition in partitions]
    best = _first_best(np.array([nmi_columns(table)[0] for table in tables]))
    suited = _first_best(np.array([f1_columns(table)[:, 0] for table in tables]))
    table = contingency(partitions[int(best)], cells)
    f1 = np.empty((len(suited), table.shape[2]))
    for number in np.unique(suited):
        labels = np.flatnonzero(suited == number)
        f1[labels] = f1_columns(contingency(partitions[number], cells), labels)
    return Agreement(
        nmi_columns(table).tolist(), ari_columns(table).tolist(), f1.ravel().tolist(), table[..., 0].ravel().tolist()
    )


def _first_best(scores: Floats) -> npt.NDArray[np.intp]:
    """Return which partition is the best, the first of equally good ones; ``scores`` has a row for each."""
    return np.asarray(np.argmax(scores > scores.max(axis=0) - ROUNDING, axis=0))

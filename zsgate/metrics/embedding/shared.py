"""Shared by the clustering metrics: the partition that fits the cell types best, with everybody and in halves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cache import Part, Scored, cached_in_parts
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.clustering.graph import Partition
from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
from zsgate.metrics.embedding.contingency import ari_columns, contingency, everybody, f1_columns, nmi_columns
from zsgate.metrics.embedding.distance_pass import distance_pass, neighbours_in_graph, pass_of_draw
from zsgate.models.embedding import Embedding
from zsgate.system import arrays
from zsgate.system.parallel.parts import Parts
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

    nmi: Floats
    ari: Floats
    label_f1: Floats
    confusion: Floats


def agreements(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Part:
    """Return the columns of ``nmi`` and ``ari`` of each clustering, and the flattened ``label_f1`` and ``confusion``.

    One clustering for each of several draws, draw s with seed s; ``seeds`` clusterings of a single draw.
    Each takes the resolution whose partition has the best NMI with everybody, a label's F1 the one that suits it best;
    leave-outs keep that partition.
    """
    draws = range(len(embedding.draws))
    asked = [(0, seed) for seed in range(seeds)] if len(draws) == 1 else [(draw, draw) for draw in draws]
    named = {f"draw {draw}, seed {seed}": (draw, seed) for draw, seed in asked}

    def jobs(names: Sequence[str]) -> Iterator[Clustering]:
        for draw, some in groupby((named[name] for name in names), key=itemgetter(0)):
            neighbours = pass_of_draw(embedding, cells, recipe, draw).neighbours
            graph = NeighbourGraph.of(embedding.draws[draw], neighbours)
            for _, seed in some:
                yield Clustering(graph.recalled, cells, recipe, seed)

    def compute(parts: Parts) -> Part:
        return _columns(parts.each(list(named), lambda names: _clustered(jobs(names))), Agreement._fields)

    return cached_in_parts("agreements", Scored(embedding, cells, recipe), __name__, compute, {"seeds": seeds})


def halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Part:
    """Return ``asw``, ``nmi`` and ``ari`` in the two halves of each split, as on the cells of a half alone.

    ``label_f1`` holds those of the halves' labels, first one half, then the other; empty where one cannot be scored.
    Split s takes draw s (modulo their number) and clusters once, with seed s.
    """
    named = {
        f"split {split}, {place}": (split, half)
        for split, pair in enumerate(cells.halves)
        for place, half in enumerate(pair)
    }

    def make(names: Sequence[str]) -> Iterator[list[Floats]]:
        widths: list[float] = []

        def jobs() -> Iterator[Clustering]:
            for split, half in (named[name] for name in names):
                some = cells.take(half)
                width, graph = _alone(arrays.take(embedding.draws[split % len(embedding.draws)], half), some, recipe)
                widths.append(width)
                yield Clustering(None if graph is None else graph.partition, some, recipe, split)

        for place, agreement in enumerate(_clustered(jobs())):
            yield [np.array([widths[place]]), *agreement]

    def compute(parts: Parts) -> Part:
        found = _columns(parts.each(list(named), make), ("asw", *Agreement._fields))
        first = {name: [column[0] for column in found[name]] for name in ("asw", "nmi", "ari")}
        pairs = {name: np.reshape(values, (-1, 2)).tolist() for name, values in first.items()}
        return {**pairs, "label_f1": found["label_f1"]}

    return cached_in_parts("halves", Scored(embedding, cells, recipe), __name__, compute)


def _alone(rows: npt.NDArray[np.float32], cells: Cells, recipe: Recipe) -> tuple[float, NeighbourGraph | None]:
    """Return asw and the graph of these cells; NaN and None with fewer than two labels."""
    if len(np.unique(cells.labels)) < 2:
        return math.nan, None
    measured = distance_pass(rows, cells, neighbours_in_graph(cells, recipe))
    return float(measured.asw[0]), NeighbourGraph.of(rows, measured.neighbours)


def _clustered(clusterings: Iterator[Clustering]) -> Iterator[Agreement]:
    """Yield what the clusterings come to; threads make their partitions while the next graph is made."""
    for each, partitions in side_by_side((each, each.calls) for each in clusterings):
        yield _best(each.cells, partitions)


def _columns(found: Sequence[Sequence[Floats]], names: Sequence[str]) -> Part:
    """Return the values of each name, in builtins, of every clustering."""
    return {name: [each[place].tolist() for each in found] for place, name in enumerate(names)}


def _best(cells: Cells, partitions: list[Partition]) -> Agreement:
    """Return the agreement of the partition with the best NMI, and each label's F1 in the one that suits it best.

    Leave-outs keep these partitions.
    """
    if not partitions:
        nothing, empty = np.array([math.nan]), np.empty(0)
        return Agreement(nothing, nothing, empty, empty)
    tables = [everybody(partition, cells) for partition in partitions]
    best = _first_best(np.array([nmi_columns(table)[0] for table in tables]))
    suited = _first_best(np.array([f1_columns(table)[:, 0] for table in tables]))
    table = contingency(partitions[int(best)], cells)
    f1 = np.empty((len(suited), table.shape[2]))
    for number in np.unique(suited):
        labels = np.flatnonzero(suited == number)
        f1[labels] = f1_columns(contingency(partitions[number], cells), labels)
    return Agreement(nmi_columns(table), ari_columns(table), f1.ravel(), table[..., 0].ravel())


def _first_best(scores: Floats) -> npt.NDArray[np.intp]:
    """Return which partition is the best, the first of equally good ones; ``scores`` has a row for each."""
    return np.asarray(np.argmax(scores > scores.max(axis=0) - ROUNDING, axis=0))

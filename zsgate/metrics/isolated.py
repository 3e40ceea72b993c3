"""Isolated labels: how well the cell types that few batches have stand apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zsgate import spill
from zsgate.embedding import Embedding
from zsgate.metrics.agreement import contingency
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.clustering import NeighbourGraph
from zsgate.metrics.metric import Metric
from zsgate.metrics.neighbours import Neighbours
from zsgate.metrics.parts import Part, clustered, graph_of, kept, silhouettes
from zsgate.recipe import Recipe


def isolated(of_labels: Floats, cells: Cells) -> Floats:
    """Return the mean over the cell types in the fewest batches, shape (1 + n_units,).

    As in scib, types in the fewest batches are isolated, and none is where every type is in all batches: NaN.

    Parameters
    ----------
    of_labels
        Value of each type, shape (n_labels, 1 + n_units).
    cells
        Whose they are.
    """
    shape = (int(cells.labels.max()) + 1, int(cells.batches.max()) + 1, len(cells.kept))
    counts = np.zeros(shape)
    np.add.at(counts, (cells.labels, cells.batches, cells.units), 1)
    there = counts @ cells.kept > 0  # (label, batch, column)
    n_batches = there.sum(axis=1)
    known = n_batches > 0
    fewest = np.where(known, n_batches, shape[1] + 1).min(axis=0)
    chosen = known & (n_batches == fewest) & (fewest < there.any(axis=0).sum(axis=0))
    total = np.where(chosen, of_labels, 0).sum(axis=0)
    n_chosen = chosen.sum(axis=0)
    mean: Floats = np.divide(total, n_chosen, out=np.full_like(total, np.nan), where=n_chosen > 0)
    return mean


def _widths(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    widths = np.array(silhouettes(embedding, cells, recipe)["label_widths"])
    n_columns = cells.kept.shape[1]
    by_label = (draw.reshape(-1, cells.weights.shape[1])[:, :n_columns] for draw in widths)
    return np.stack([(isolated(each, cells) + 1) / 2 for each in by_label])


def found_by(partitions: Iterable[npt.NDArray[np.integer]], cells: Cells) -> Floats:
    """Return the F1 of each cell type with the cluster that fits it best, shape (n_labels, 1 + n_units).

    As in scib, every type takes the partition that suits it best with everybody; leave-outs keep that partition.

    Parameters
    ----------
    partitions
        Clusters of all cells, shapes (n_cells,); of equally good ones the first counts.
    cells
        Whose they are.
    """
    n_columns = cells.kept.shape[1]
    by_partition = np.stack([_best_f1(contingency(each, cells)[:, :, :n_columns]) for each in partitions])
    best = by_partition[:, :, 0].argmax(axis=0)
    chosen: Floats = by_partition[best, np.arange(len(best))]
    return chosen


def _best_f1(table: Floats) -> Floats:
    """Return the largest F1 over the clusters, (n_labels, n_columns), of a table (n_clusters, n_labels, n_columns)."""
    both = table.sum(axis=1, keepdims=True) + table.sum(axis=0)
    return np.asarray(np.divide(2 * table, both, out=np.zeros_like(table), where=both > 0).max(axis=0))


def _f1(graph: NeighbourGraph, cells: Cells, recipe: Recipe, seed: int) -> list[float]:
    """Return the columns of one clustering."""
    columns: list[float] = isolated(found_by(graph.louvain(recipe.resolutions, seed), cells), cells).tolist()
    return columns


def _f1_columns(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    """Cluster one draw ``seeds`` times, or each of several draws once."""

    def jobs() -> Iterator[tuple[NeighbourGraph, Cells, Recipe, int]]:
        for draw in range(len(embedding.draws)):
            graph = graph_of(embedding, cells, recipe, draw)
            for seed in range(seeds) if len(embedding.draws) == 1 else (draw,):
                yield graph, replace(cells, dataset=None), recipe, seed

    def compute() -> Part:
        return {"f1": clustered(_f1, cells.n_cells, jobs())}

    return np.array(kept("isolated f1", embedding, cells, recipe, {"seeds": seeds}, compute)["f1"], dtype=float)


def _f1_halves(embedding: Embedding, cells: Cells, recipe: Recipe, of: str) -> Floats:
    """Score either half as its cells alone, split s with draw and seed s."""

    def jobs() -> Iterator[tuple[NeighbourGraph, Cells, Recipe, int]]:
        for split, pair in enumerate(cells.halves(of)):
            for half in pair:
                rows, some = spill.take(embedding.draws[split % len(embedding.draws)], half), cells.take(half)
                nearest = Neighbours(rows, min(recipe.n_neighbors, some.n_cells) - 1)
                graph = NeighbourGraph.of(rows, nearest.among(np.ones(some.n_cells, dtype=bool))[0])
                yield graph, some, recipe, split

    def compute() -> Part:
        first = [columns[0] for columns in clustered(_f1, cells.n_cells, jobs())]
        return {"f1": np.reshape(first, (-1, 2)).tolist()}

    return np.array(kept(f"isolated f1 in halves of {of}", embedding, cells, recipe, {}, compute)["f1"], dtype=float)


isolated_labels = Metric(
    "isolated_labels",
    "Isolated labels: the average silhouette width, scaled to 0..1, of the cell types that occur in the fewest batches "
    "(Luecken et al. 2022); higher is better. It asks whether what one batch alone has survived. Few cells "
    "often decide it, it is not defined where all types are in all batches, and it has the failures of asw.",
    _widths,
    uses_batches=True,
    advisory=True,
    on_request=True,
)
isolated_labels_f1 = Metric(
    "isolated_labels_f1",
    "Isolated labels F1: how well one cluster finds each cell type that occurs in the fewest batches, by the F1 of the "
    "best cluster of 20 Louvain partitions, averaged over those types (Luecken et al. 2022; there of 10 Leiden "
    "partitions); 0 to 1, higher is better. Each type picks its own resolution and cluster, so it is optimistic, few "
    "cells often decide it, and it is not defined where all types are in all batches.",
    _f1_columns,
    uses_batches=True,
    halves=_f1_halves,
    advisory=True,
    on_request=True,
)

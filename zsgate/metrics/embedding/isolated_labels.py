"""Isolated labels: how well the cell types that few batches have stand apart."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.embedding.shared import agreements, halves
from zsgate.metrics.embedding.silhouette import silhouettes
from zsgate.metrics.metric import Metric
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import Recipe


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
    shape = (int(cells.labels.max()) + 1, int(cells.batches.max()) + 1, len(cells.column_weights))
    counts = np.zeros(shape)
    np.add.at(counts, (cells.labels, cells.batches, cells.units), 1)
    there = counts @ cells.column_weights > 0  # (label, batch, column)
    n_batches = there.sum(axis=1)
    known = n_batches > 0
    fewest = np.where(known, n_batches, shape[1] + 1).min(axis=0)
    chosen = known & (n_batches == fewest) & (fewest < there.any(axis=0).sum(axis=0))
    total = np.where(chosen, of_labels, 0).sum(axis=0)
    n_chosen = chosen.sum(axis=0)
    mean: Floats = np.divide(total, n_chosen, out=np.full_like(total, np.nan), where=n_chosen > 0)
    return mean


def _means(flattened: Iterable[list[float]], cells: Cells) -> Floats:
    """Return the columns of each draw or clustering, whose values of labels are flattened."""
    n_columns = cells.column_weights.shape[1]
    tables = (np.array(each, dtype=float).reshape(-1, cells.weights.shape[1]) for each in flattened)
    return np.stack([isolated(table[:, :n_columns], cells) for table in tables])


def _widths(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return (_means(silhouettes(embedding, cells, recipe)["label_widths"], cells) + 1) / 2


def _f1(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return _means(agreements(embedding, cells, recipe, seeds)["label_f1"], cells)


def _f1_halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Floats:
    some = [cells.take(half) for pair in cells.halves for half in pair]
    found = zip(halves(embedding, cells, recipe)["label_f1"], some, strict=True)
    return np.reshape([_means([each], half)[0, 0] if each else math.nan for each, half in found], (-1, 2))


isolated_labels = Metric(
    "isolated_labels",
    "Isolated labels: the average silhouette width, scaled to 0..1, of the cell types that occur in the fewest batches "
    "(Luecken et al. 2022); higher is better. It asks whether what one batch alone has survived. Few cells "
    "often decide it, it is not defined where all types are in all batches, and it has the failures of asw.",
    _widths,
    claim="cell types",
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
    _f1,
    claim="cell types",
    uses_batches=True,
    halves=_f1_halves,
    clusters=True,
    advisory=True,
    on_request=True,
)

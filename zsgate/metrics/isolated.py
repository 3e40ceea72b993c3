"""Isolated labels: how well the cell types that few batches have stand apart."""

from __future__ import annotations

import numpy as np

from zsgate.embedding import Embedding
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.metric import Metric
from zsgate.metrics.parts import silhouettes
from zsgate.recipe import Recipe


def isolated(label_widths: Floats, cells: Cells) -> Floats:
    """Return the scaled mean silhouette of the cell types in the fewest batches, shape (1 + n_units,).

    As scib's ``isolated_labels_asw``: the mean within a type, then over types. NaN where every type is in all batches.

    Parameters
    ----------
    label_widths
        Mean silhouette of each type, shape (n_labels, 1 + n_units); see ``zsgate.metrics.silhouette.Pass``.
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
    total = np.where(chosen, label_widths, 0).sum(axis=0)
    n_chosen = chosen.sum(axis=0)
    mean = np.divide(total, n_chosen, out=np.full_like(total, np.nan), where=n_chosen > 0)
    return np.asarray((mean + 1) / 2)


def _columns(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    widths = np.array(silhouettes(embedding, cells, recipe)["label_widths"])
    n_columns = cells.kept.shape[1]
    by_label = (draw.reshape(-1, cells.weights.shape[1])[:, :n_columns] for draw in widths)
    return np.stack([isolated(each, cells) for each in by_label])


isolated_labels = Metric(
    "isolated_labels",
    "Isolated labels: the average silhouette width, scaled to 0..1, of the cell types that occur in the fewest batches "
    "(Luecken et al. 2022); higher is better. It asks whether what one batch alone has survived. Few cells "
    "often decide it, it is not defined where all types are in all batches, and it has the failures of asw.",
    _columns,
    uses_batches=True,
    advisory=True,
    on_request=True,
)

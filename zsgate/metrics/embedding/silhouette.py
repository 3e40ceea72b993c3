"""Silhouettes: how far apart the cell types are, and how well batches mix within each of them."""

from __future__ import annotations

import numpy as np

from zsgate.metrics.cache import Part, Scored, cached
from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.embedding.distance_pass import pass_of_draw
from zsgate.metrics.metric import Metric
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import Recipe


def silhouettes(embedding: Embedding, cells: Cells, recipe: Recipe) -> Part:
    """Return the columns of ``asw`` and ``batch_score`` of each draw, their halves, and flattened ``label_widths``."""
    n = cells.weights.shape[1]

    def compute() -> Part:
        passes = [pass_of_draw(embedding, cells, recipe, draw) for draw in range(len(embedding.draws))]
        return {
            "asw": [each.asw[:n].tolist() for each in passes],
            "batch_score": [each.batch_score[:n].tolist() for each in passes],
            "asw_halves": [each.asw[n:].tolist() for each in passes],
            "batch_score_halves": [each.batch_score[n:].tolist() for each in passes],
            "label_widths": [each.label_widths[:, :n].ravel().tolist() for each in passes],
        }

    return cached("silhouettes", Scored(embedding, cells, recipe), __name__, compute)


def _asw(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(silhouettes(embedding, cells, recipe)["asw"])


def _batch_score(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(silhouettes(embedding, cells, recipe)["batch_score"])


def _asw_halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Floats:
    return np.asarray(np.mean(silhouettes(embedding, cells, recipe)["asw_halves"], axis=0)).reshape(-1, 2)


def _batch_score_halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Floats:
    return np.asarray(np.mean(silhouettes(embedding, cells, recipe)["batch_score_halves"], axis=0)).reshape(-1, 2)


def _asw_by_type(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    """Return the mean width of each type's cells, scaled as ``asw``."""
    widths = np.array(silhouettes(embedding, cells, recipe)["label_widths"])
    of_everybody = widths.reshape(len(widths), -1, cells.weights.shape[1])[:, :, 0]
    return np.asarray((of_everybody.mean(axis=0) + 1) / 2)


asw = Metric(
    "asw",
    "Average silhouette width of the cell types (Rousseeuw 1987), scaled from -1..1 to 0..1; higher is "
    "better, noise has 0.5. It assumes round, equally dense cell types, so it punishes trajectories and "
    "nested types, and its value depends on the number of dimensions.",
    _asw,
    claim="cell types",
    halves=_asw_halves,
    by_type=_asw_by_type,
)
batch_score = Metric(
    "batch_score",
    "Batch integration score: one minus the absolute silhouette of the batches within a cell type, averaged "
    "over cells and then over cell types (Luecken et al. 2022); 0 to 1, higher is better. Pure noise has "
    "about 0.98 and it rises with noise and with the number of dimensions: on real pancreas cells an untrained network "
    "has 0.88, scVI 0.81, HVG 0.82 and PCA 0.74, and scVI cleared of all batch effects within types no more than 0.84. "
    "It misses batches that differ in shape or lie nested (Rautenstrauch and Ohler 2025). So knn_mixing decides; this "
    "is shown, and decides in the recipe of the paper.",
    _batch_score,
    claim="batches",
    halves=_batch_score_halves,
    uses_batches=True,
    advisory=True,
)

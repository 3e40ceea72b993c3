"""Metrics of embeddings: each maps an embedding and labels to a Score.

>>> from zsgate.metrics import asw
>>> asw(embedding, labels).value  # doctest: +SKIP
"""

from __future__ import annotations

import numpy as np

from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.embedding.bras import bras
from zsgate.metrics.embedding.graph_connectivity import graph_connectivity
from zsgate.metrics.embedding.isolated_labels import isolated_labels, isolated_labels_f1
from zsgate.metrics.embedding.label_transfer import label_transfer
from zsgate.metrics.embedding.lisi_kbet import clisi, ilisi, kbet
from zsgate.metrics.embedding.pcr import avg_batch, pcr, pcr_comparison
from zsgate.metrics.embedding.shared import agreements, halves, silhouettes
from zsgate.metrics.metric import Metric
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION, ReconstructionMetric
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import DEFAULT, Recipe

__all__ = [
    "DEFAULT",
    "EVERY",
    "METRICS",
    "Metric",
    "Recipe",
    "ari",
    "asw",
    "avg_batch",
    "avg_bio",
    "batch_score",
    "bras",
    "clisi",
    "graph_connectivity",
    "ilisi",
    "isolated_labels",
    "isolated_labels_f1",
    "kbet",
    "label_transfer",
    "nmi",
    "pcr",
    "pcr_comparison",
]


def _asw(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(silhouettes(embedding, cells, recipe)["asw"])


def _batch_score(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(silhouettes(embedding, cells, recipe)["batch_score"])


def _nmi(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(agreements(embedding, cells, recipe, seeds)["nmi"])


def _ari(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(agreements(embedding, cells, recipe, seeds)["ari"])


def _avg_bio(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    """Average the three, clustering by clustering; one draw has one ASW for all its clusterings."""
    of_cells = _asw(embedding, cells, recipe, seeds)
    return (_nmi(embedding, cells, recipe, seeds) + _ari(embedding, cells, recipe, seeds) + of_cells) / 3


def _nmi_halves(embedding: Embedding, cells: Cells, recipe: Recipe, of: str) -> Floats:
    return np.array(halves(embedding, cells, recipe, of)["nmi"])


def _ari_halves(embedding: Embedding, cells: Cells, recipe: Recipe, of: str) -> Floats:
    return np.array(halves(embedding, cells, recipe, of)["ari"])


def _avg_bio_halves(embedding: Embedding, cells: Cells, recipe: Recipe, of: str) -> Floats:
    """Average the three, half by half."""
    found = halves(embedding, cells, recipe, of)
    return np.asarray(np.mean([found[name] for name in ("asw", "nmi", "ari")], axis=0))


asw = Metric(
    "asw",
    "Average silhouette width of the cell types (Rousseeuw 1987), scaled from -1..1 to 0..1; higher is "
    "better, noise has 0.5. It assumes round, equally dense cell types, so it punishes trajectories and "
    "nested types, and its value depends on the number of dimensions.",
    _asw,
)
nmi = Metric(
    "nmi",
    "Normalised mutual information (arithmetic mean) between the cell types and the best of 20 Louvain "
    "partitions of the 15-nearest-neighbour graph; 0 to 1, higher is better. The labels choose the "
    "resolution, so it is optimistic, and another clusterer can move it by more than 0.1.",
    _nmi,
    halves=_nmi_halves,
)
ari = Metric(
    "ari",
    "Adjusted Rand index (Hubert and Arabie 1985) between the cell types and the partition that has the best "
    "NMI; 0 by chance, 1 for equal partitions, higher is better. Large cell types decide it, and it moves "
    "more between clusterings than the NMI.",
    _ari,
    halves=_ari_halves,
)
avg_bio = Metric(
    "avg_bio",
    "Mean of nmi, ari and asw: how well the embedding keeps cell types apart (Luecken et al. 2022; "
    "Kedzierska et al. 2025); higher is better. Pure noise has about 0.18.",
    _avg_bio,
    halves=_avg_bio_halves,
)
batch_score = Metric(
    "batch_score",
    "Batch integration score: one minus the absolute silhouette of the batches within a cell type, averaged "
    "over cells and then over cell types (Luecken et al. 2022); 0 to 1, higher is better. Pure noise has "
    "about 0.98 and it rises with the number of dimensions, and it misses batches that differ in shape or "
    "lie nested (Rautenstrauch and Ohler 2025), so it counts only with evidence of cell-type signal.",
    _batch_score,
    uses_batches=True,
)

_ALL = (
    *(asw, nmi, ari, avg_bio, batch_score),
    *(graph_connectivity, label_transfer, isolated_labels, isolated_labels_f1, clisi),
    *(bras, pcr, pcr_comparison, avg_batch, ilisi, kbet),
)
# of embeddings; EVERY has those of reconstruction too
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
EVERY: dict[str, Metric | ReconstructionMetric] = {**METRICS, **RECONSTRUCTION}

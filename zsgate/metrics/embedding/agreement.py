"""Agreement of clusters with the cell types: NMI, ARI, and their mean with the silhouette of the cell types."""

from __future__ import annotations

import numpy as np

from zsgate.metrics.cells import Cells, Floats
from zsgate.metrics.embedding.shared import agreements, halves
from zsgate.metrics.embedding.silhouette import silhouettes
from zsgate.metrics.metric import Metric
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import Recipe


def _nmi(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(agreements(embedding, cells, recipe, seeds)["nmi"])


def _ari(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    return np.array(agreements(embedding, cells, recipe, seeds)["ari"])


def _avg_bio(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    """Average the three, clustering by clustering; one draw has one ASW for all its clusterings."""
    widths = np.array(silhouettes(embedding, cells, recipe)["asw"])
    return np.asarray((_nmi(embedding, cells, recipe, seeds) + _ari(embedding, cells, recipe, seeds) + widths) / 3)


def _nmi_halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Floats:
    return np.array(halves(embedding, cells, recipe)["nmi"])


def _ari_halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Floats:
    return np.array(halves(embedding, cells, recipe)["ari"])


def _avg_bio_halves(embedding: Embedding, cells: Cells, recipe: Recipe) -> Floats:
    """Average the three, half by half."""
    found = halves(embedding, cells, recipe)
    return np.asarray(np.mean([found[name] for name in ("asw", "nmi", "ari")], axis=0))


def _f1_by_type(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> Floats:
    """Return for each type the F1 of the cluster that suits it best, of all partitions; mean over clusterings."""
    found = np.array(agreements(embedding, cells, recipe, seeds)["label_f1"])
    return np.asarray(found.reshape(len(found), cells.labels.max() + 1, -1)[:, :, 0].mean(axis=0))


def _confusion(embedding: Embedding, cells: Cells, recipe: Recipe, seeds: int) -> tuple[tuple[int, ...], ...]:
    """Return the number of cells of each type in each cluster, by the first clustering's best partition."""
    found = np.array(agreements(embedding, cells, recipe, seeds)["confusion"][0])
    return tuple(map(tuple, found.reshape(-1, cells.labels.max() + 1).astype(np.intp).tolist()))


nmi = Metric(
    "nmi",
    "Normalised mutual information (arithmetic mean) between the cell types and the best of 20 Louvain "
    "partitions of the 15-nearest-neighbour graph; 0 to 1, higher is better. The labels choose the "
    "resolution, so it is optimistic, and another clusterer can move it by more than 0.1.",
    _nmi,
    claim="cell types",
    noise_loses=True,
    halves=_nmi_halves,
    by_type=_f1_by_type,
    confusion=_confusion,
    clusters=True,
)
ari = Metric(
    "ari",
    "Adjusted Rand index (Hubert and Arabie 1985) between the cell types and the partition that has the best "
    "NMI; 0 by chance, 1 for equal partitions, higher is better. Large cell types decide it, and it moves "
    "more between clusterings than the NMI.",
    _ari,
    claim="cell types",
    halves=_ari_halves,
    clusters=True,
)
avg_bio = Metric(
    "avg_bio",
    "Mean of nmi, ari and asw: how well the embedding keeps cell types apart (Luecken et al. 2022; "
    "Kedzierska et al. 2025); higher is better. Pure noise has about 0.18.",
    _avg_bio,
    claim="cell types",
    noise_loses=True,
    halves=_avg_bio_halves,
    clusters=True,
)

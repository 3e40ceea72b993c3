"""Metrics of embeddings: each maps an embedding and labels to a Score.

>>> from zsgate.metrics import asw
>>> asw(embedding, labels).value  # doctest: +SKIP
>>> asw(adata, "X_pca", label_key="cell_type", donor_key="donor").value  # doctest: +SKIP
"""

from __future__ import annotations

from zsgate.metrics.embedding.agreement import ari, avg_bio, nmi
from zsgate.metrics.embedding.bras import bras
from zsgate.metrics.embedding.graph_connectivity import graph_connectivity
from zsgate.metrics.embedding.isolated_labels import isolated_labels, isolated_labels_f1
from zsgate.metrics.embedding.label_transfer import label_transfer
from zsgate.metrics.embedding.lisi_kbet import clisi, ilisi, kbet
from zsgate.metrics.embedding.pcr import avg_batch, pcr, pcr_comparison
from zsgate.metrics.embedding.silhouette import asw, batch_score
from zsgate.metrics.metric import Metric, MetricLike
from zsgate.metrics.mixing.mixing import knn_mixing, knn_purity
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION
from zsgate.metrics.robustness.metric import ROBUSTNESS
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
    "knn_mixing",
    "knn_purity",
    "label_transfer",
    "nmi",
    "pcr",
    "pcr_comparison",
]


_ALL = (
    *(asw, nmi, ari, avg_bio, knn_mixing),
    *(knn_purity, batch_score),
    *(graph_connectivity, label_transfer, isolated_labels, isolated_labels_f1, clisi),
    *(bras, pcr, pcr_comparison, avg_batch, ilisi, kbet),
)
# of embeddings; EVERY has those of reconstruction and robustness too
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
EVERY: dict[str, MetricLike] = {**METRICS, **RECONSTRUCTION, **ROBUSTNESS}

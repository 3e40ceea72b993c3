"""Contingency table of a partition and the cell types: its NMI, ARI and F1, with every exact leave-out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells, Floats


def contingency(partition: npt.NDArray[np.integer], cells: Cells) -> Floats:
    """Return the number of cells of each (cluster, label), shape (n_clusters, n_labels, n_columns).

    The columns are those of ``cells.weights``; in the last, where all units weigh the same, numbers are fractions.
    """
    shape = (int(partition.max()) + 1, int(cells.labels.max()) + 1, len(cells.weights))
    key = np.ravel_multi_index((partition.astype(np.intp), cells.labels, cells.units), shape)
    counts = np.bincount(key, minlength=int(np.prod(shape))).reshape(shape)
    table: Floats = counts @ cells.weights
    return table


def nmi_columns(table: Floats) -> Floats:
    """Return the mutual information over the arithmetic mean of the two entropies, a value a column.

    As scikit-learn's ``normalized_mutual_info_score``; NaN in columns with fewer than two labels.
    """
    total = table.sum(axis=(0, 1))
    clusters, labels = table.sum(axis=1), table.sum(axis=0)
    joint = _entropy(table.reshape(-1, len(total)), total)
    h_clusters, h_labels = _entropy(clusters, total), _entropy(labels, total)
    information = np.maximum(h_clusters + h_labels - joint, 0)
    information[information <= 8 * np.finfo(float).eps] = 0
    defined = _defined(labels)
    entropies = h_clusters + h_labels
    nmi: Floats = np.divide(2 * information, entropies, out=np.full_like(total, np.nan), where=defined)
    return nmi


def ari_columns(table: Floats) -> Floats:
    """Return the adjusted Rand index (Hubert and Arabie 1985), a value a column.

    As scikit-learn's ``adjusted_rand_score``; NaN in columns with fewer than two labels.
    """
    total = table.sum(axis=(0, 1))
    clusters, labels = table.sum(axis=1), table.sum(axis=0)
    together, by_cluster, by_label = (_pairs(part) for part in (table.reshape(-1, len(total)), clusters, labels))
    defined = _defined(labels)
    chance = np.divide(by_cluster * by_label, _pairs(total[None]), out=np.zeros_like(total), where=defined)
    most = (by_cluster + by_label) / 2
    alone = defined & (most == chance)  # nobody shares a cluster or a label: perfect agreement
    index: Floats = np.divide(together - chance, most - chance, out=np.full_like(total, np.nan), where=defined & ~alone)
    index[alone] = 1
    return index


def f1_columns(table: Floats) -> Floats:
    """Return the F1 of each label with the cluster that fits it best, shape (n_labels, n_columns)."""
    both = table.sum(axis=1, keepdims=True) + table.sum(axis=0)
    return np.asarray(np.divide(2 * table, both, out=np.zeros_like(table), where=both > 0).max(axis=0))


def _defined(labels: Floats) -> npt.NDArray[np.bool_]:
    """Return which columns hold at least two labels."""
    defined: npt.NDArray[np.bool_] = (labels > 0).sum(axis=0) >= 2
    return defined


def _entropy(counts: Floats, total: Floats) -> Floats:
    """Return the entropy in nats of each column of ``counts``."""
    share = counts / np.maximum(total, 1)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy: Floats = -(share * logs).sum(axis=0)
    return entropy


def _pairs(counts: Floats) -> Floats:
    """Return the number of pairs within the groups of each column."""
    pairs: Floats = (counts * (counts - 1) / 2).sum(axis=0)
    return pairs

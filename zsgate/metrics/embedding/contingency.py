"""Contingency table of a partition and the cell types: its NMI, ARI and F1, with every exact leave-out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells, Codes, Floats

ALL = slice(None)


def contingency(partition: npt.NDArray[np.integer], cells: Cells) -> Floats:
    """Return the number of cells of each (cluster, label), shape (n_clusters, n_labels, n_columns).

    The columns are those of ``cells.weights``; in the last, where all units weigh the same, numbers are fractions.
    """
    if not cells.names:
        return everybody(partition, cells)
    counts = _counts(partition, cells.labels, cells.units)
    table = np.empty((*counts.shape[:2], 2 + len(cells.names)))
    table[..., 0] = counts.sum(axis=2)
    np.subtract(table[..., :1], counts, out=table[..., 1:-1])  # whole numbers, so it is exact
    table[..., -1] = counts @ cells.weights[:, -1]
    return table


def everybody(partition: npt.NDArray[np.integer], cells: Cells) -> Floats:
    """Return the first column of the contingency alone, shape (n_clusters, n_labels, 1)."""
    return _counts(partition, cells.labels)[..., None].astype(np.float64)


def _counts(*codes: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Return the number of cells of each combination of codes."""
    shape = tuple(int(each.max()) + 1 for each in codes)
    key = np.ravel_multi_index(tuple(each.astype(np.intp) for each in codes), shape)
    return np.bincount(key, minlength=math.prod(shape)).reshape(shape)


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


def f1_columns(table: Floats, labels: Codes | slice = ALL) -> Floats:
    """Return the F1 of each label, or of some, with the cluster that fits it best, shape (n_labels, n_columns)."""
    both = table.sum(axis=1, keepdims=True) + table.sum(axis=0)[labels]
    some = table[:, labels]
    return np.asarray(np.divide(2 * some, both, out=np.zeros_like(some), where=both > 0).max(axis=0))


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

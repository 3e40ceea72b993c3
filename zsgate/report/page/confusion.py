"""Confusion: which cell types share a cluster, in the partition that the candidate was scored by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zsgate.report.record.dataset import DatasetRecord
from zsgate.report.record.evidence import ScoreRecord

SMALLEST = 0.01  # share of all cells; smaller clusters are shown as one


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """One cell type: how its cells fall into clusters.

    Attributes
    ----------
    name
        The type.
    cells
        Number of its cells in each cluster, and the share of its cells that this is.
    """

    name: str
    cells: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Types by clusters: ``clusters`` names the columns, each with its number of cells."""

    clusters: list[tuple[str, int]]
    rows: list[ConfusionRow]


def table(scores: Sequence[ScoreRecord], card: DatasetRecord) -> Confusion | None:
    """Return the candidate's table on a dataset, or None where its partition is not known.

    Clusters stand in the order of the type that most of their cells are of, so that a good one is near the diagonal.

    Parameters
    ----------
    scores
        The candidate's, on all datasets.
    card
        The dataset, with the names of its types.
    """
    found = next((each.confusion for each in scores if each.dataset == card.name and each.confusion), ())
    names = [name for name, _ in card.cell_types]
    if not found or any(len(cluster) != len(names) for cluster in found):
        return None
    n_cells = sum(map(sum, found))
    large = [cluster for cluster in found if sum(cluster) >= SMALLEST * n_cells]
    large.sort(key=lambda cluster: (cluster.index(max(cluster)), -max(cluster)))
    small = [cluster for cluster in found if sum(cluster) < SMALLEST * n_cells]
    clusters = [(str(place), sum(cluster)) for place, cluster in enumerate(large, start=1)]
    if small:
        large.append(tuple(map(sum, zip(*small, strict=True))))
        clusters.append((f"{len(small)} small", sum(large[-1])))
    rows = []
    for place, name in enumerate(names):
        here = [cluster[place] for cluster in large]
        rows.append(ConfusionRow(name, [(n, n / max(sum(here), 1)) for n in here]))
    return Confusion(clusters, rows)

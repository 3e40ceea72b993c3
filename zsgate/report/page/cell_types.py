"""Cell types: where a model loses, by the metrics that say something of each type alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zsgate.report.record.dataset import DatasetRecord
from zsgate.report.record.verdict import VerdictRecord

WHAT = {
    "asw": "silhouette of its cells, scaled as asw",
    "nmi": "F1 of the cluster that suits it best",
    "knn_mixing": "mixing of batches among its cells",
}


@dataclass(frozen=True, slots=True)
class TypeRow:
    """What is said of one cell type.

    Attributes
    ----------
    name, n_cells
        The type.
    ours
        The model's value; None where the metric says nothing of this type.
    theirs
        The value of each baseline, in the order of the table.
    lost
        The least difference to any of them, positive in the model's favour; None where there is none.
    """

    name: str
    n_cells: int
    ours: float | None
    theirs: tuple[float | None, ...]
    lost: float | None


@dataclass(frozen=True, slots=True)
class TypeTable:
    """A metric's table: the types, those first that lose most."""

    metric: str
    what: str
    baselines: tuple[str, ...]
    rows: list[TypeRow]

    @property
    def n_lost(self) -> int:
        """Number of types that some baseline does better on."""
        return sum(row.lost is not None and row.lost < 0 for row in self.rows)


def tables(verdicts: Sequence[VerdictRecord], card: DatasetRecord | None) -> Iterator[TypeTable]:
    """Yield a table for each metric that tells the types of a dataset apart.

    Parameters
    ----------
    verdicts
        Those on the dataset.
    card
        The dataset, with the names of its types.
    """
    types = () if card is None else card.cell_types
    for metric, what in WHAT.items():
        here = [each for each in verdicts if each.metric == metric and types and len(each.by_type) == len(types)]
        if here:
            rows = [
                _row(name, n_cells, [each.by_type[place] for each in here])
                for place, (name, n_cells) in enumerate(types)
            ]
            rows.sort(key=lambda row: (row.lost is None, row.lost or 0.0))
            yield TypeTable(metric, what, tuple(each.baseline for each in here), rows)


def _row(name: str, n_cells: int, pairs: Sequence[tuple[float | None, float | None]]) -> TypeRow:
    ours = pairs[0][0]
    differences = [one - other for one, other in pairs if one is not None and other is not None]
    return TypeRow(name, n_cells, ours, tuple(other for _, other in pairs), min(differences, default=None))

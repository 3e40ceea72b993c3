"""Cells: what a metric sees of the cells besides their embedding, as integer codes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset, effective_number
from zsgate.metrics.splits import balanced

Codes = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
SPLITS = 20  # of the units in halves, at most


@dataclass(frozen=True)
class Cells:
    """Labels, batches and units of the cells that are scored.

    Attributes
    ----------
    labels, batches, units
        Codes 0, 1, ... of each cell, shape (n_cells,); all 0 where batches or units are unknown.
    names
        Sorted names of the units; empty where they are unknown.
    unit
        ``"donor"`` or ``"cells"``.
    has_batches
        Whether batches are known.
    digest
        SHA-256 of the cells as far as metrics depend on them.
    ranks
        Rank of each cell's name among all, shape (n_cells,); its position where names are unknown.
    dataset
        Where they came from, for metrics that look at the counts; None for arrays.
    """

    labels: Codes
    batches: Codes
    units: Codes
    names: tuple[str, ...]
    unit: str
    has_batches: bool
    digest: str
    ranks: Codes
    dataset: Dataset | None = None

    @classmethod
    def of(
        cls,
        labels: Dataset | npt.ArrayLike,
        batches: npt.ArrayLike | None = None,
        donors: npt.ArrayLike | None = None,
    ) -> Cells:
        """Return the cells of a dataset, or of arrays of shape (n_cells,).

        Raises
        ------
        ValueError
            If a value is missing, lengths differ, there are fewer than 3 cells or 2 labels, no label has two
            cells, or a dataset comes together with batches or donors.
        """
        if isinstance(labels, Dataset):
            if batches is not None or donors is not None:
                msg = "batches and donors come from the dataset; pass them with an array of labels only"
                raise ValueError(msg)
            units, unit = labels.units
            ranks = np.argsort(np.argsort(labels.cell_ids))
            found = cls._coded(labels.cell_types, labels.batches, units, unit, labels.cells_digest, ranks)
            return replace(found, dataset=labels)
        return cls._coded(labels, batches, donors, "donor", "")

    @classmethod
    def _coded(
        cls,
        labels: npt.ArrayLike,
        batches: npt.ArrayLike | None,
        units: npt.ArrayLike | None,
        unit: str,
        digest: str,
        ranks: Codes | None = None,
    ) -> Cells:
        types, types_of = _codes("labels", labels)
        n_cells = len(types_of)
        if n_cells < 3 or not 2 <= len(types) < n_cells:
            msg = (
                f"{n_cells} cells with {len(types)} distinct labels cannot be scored: "
                "at least 3 cells, 2 labels and one label with 2 cells are needed"
            )
            raise ValueError(msg)
        none = np.zeros(n_cells, dtype=np.intp)
        lots, lots_of = ((), none) if batches is None else _codes("batches", batches, n_cells)
        names, units_of = ((), none) if units is None else _codes("donors", units, n_cells)
        if not digest:
            sha = hashlib.sha256(unit.encode())
            for known, codes in ((types, types_of), (lots, lots_of), (names, units_of)):
                sha.update("\0".join(known).encode() + b"\1" + codes.tobytes())
            digest = sha.hexdigest()
        ranks = np.arange(n_cells) if ranks is None else ranks
        return cls(types_of, lots_of, units_of, names, unit, batches is not None, digest, ranks)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.labels)

    @cached_property
    def column_weights(self) -> Floats:
        """Weight of each unit in each column, shape (n_units, 1 + n_units).

        Column 0 keeps every unit, column 1 + g all but unit g. A product with it gives a sum over everybody
        and over all leave-outs at once, without the cancellation of subtracting a unit from the total.
        """
        if not self.names:
            return np.ones((1, 1))
        n_units = len(self.names)
        return np.hstack([np.ones((n_units, 1)), 1 - np.eye(n_units)])

    @cached_property
    def weights(self) -> Floats:
        """Weight of each unit in the columns of ``column_weights`` and in one more, where all units weigh the same."""
        if not self.names:
            return self.column_weights
        balanced = self.n_cells / (len(self.names) * np.bincount(self.units))
        return np.column_stack([self.column_weights, balanced])

    @cached_property
    def all_weights(self) -> Floats:
        """``weights`` and two columns more for every split of the units: 1 in one half, 1 in the other."""
        if not self._sides:
            return self.weights
        first_cells = np.unique(self.units, return_index=True)[1]
        sides = np.array([side[first_cells] for side in self._sides], dtype=np.float64)
        return np.column_stack([self.weights, np.stack([sides, 1 - sides], axis=1).reshape(-1, len(self.names)).T])

    @property
    def n_effective(self) -> float | None:
        """Number of equally large units that would know as much, 1 / sum(share ** 2); None without units."""
        return effective_number(self.units) if self.names else None

    @property
    def halves(self) -> list[tuple[Codes, Codes]]:
        """Balanced splits of the units in complementary halves, as the positions of the cells of either."""
        return [(np.flatnonzero(side), np.flatnonzero(~side)) for side in self._sides]

    @cached_property
    def _sides(self) -> list[npt.NDArray[np.bool_]]:
        """Whether each cell is in the first half, for every split of the units; none where there are no two.

        The same cells are always split alike, whatever their order and whatever the units are called, so that two
        embeddings are compared in the same halves.
        """
        if len(self.names) < 2:
            return []
        first = np.full(len(self.names), self.n_cells)
        np.minimum.at(first, self.units, self.ranks)
        place = np.argsort(np.argsort(first))[self.units]
        return [half[place] for half in balanced(len(self.names), SPLITS)]

    def take(self, rows: Codes) -> Cells:
        """Return the cells at the positions ``rows`` with labels and batches only, to be scored by themselves."""
        none = np.zeros(len(rows), dtype=np.intp)
        labels, batches = (np.unique(codes[rows], return_inverse=True)[1] for codes in (self.labels, self.batches))
        some = replace(self, labels=labels, batches=batches, ranks=self.ranks[rows])
        return replace(some, units=none, names=(), digest="", dataset=None)


def _codes(what: str, values: npt.ArrayLike, n_cells: int | None = None) -> tuple[tuple[str, ...], Codes]:
    """Return the sorted distinct names and each cell's position among them."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)
    if array.ndim != 1 or (n_cells is not None and len(array) != n_cells):
        expected = "one per cell" if n_cells is None else f"{n_cells}, one per cell"
        msg = f"{what} must be 1-D, {expected}; their shape is {array.shape}"
        raise ValueError(msg)
    if array.dtype.kind in "Of":
        import pandas as pd

        missing = pd.isna(array)
        if missing.any():
            msg = f"{what} are missing (NaN or None) for {missing.sum()} of {len(array)} cells"
            raise ValueError(msg)
    names, codes = np.unique(array.astype(str), return_inverse=True)
    return tuple(names.tolist()), codes.astype(np.intp)

"""Recovery: whether the nearest unperturbed cell of another donor is of a perturbed cell's own type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsgate.metrics.cells import Cells, Codes, Floats
from zsgate.models.embedding import Floats as Rows

BLOCK = 256  # perturbed cells that look for others at a time
PAIRS = 1 << 13  # pairs whose distances are taken exactly at a time
TIED = 1e-12  # relative difference of squared distances that is rounding: then both cells are the nearest


@dataclass(frozen=True, slots=True)
class _Nearest:
    """The unperturbed cells of each unit that are nearest to each perturbed cell, shape (n_cells, n_units).

    Attributes
    ----------
    square
        Squared distance to them; infinite where there is none.
    number
        How many are as near.
    own
        How many of them are of the perturbed cell's type.
    """

    square: Floats
    number: Floats
    own: Floats

    def share(self, remaining: npt.NDArray[np.bool_]) -> Floats:
        """Return the share of own types among the nearest cells of the remaining units, shape (n_cells,)."""
        square = np.where(remaining, self.square, np.inf)
        tied = square <= (1 + TIED) * square.min(axis=1, keepdims=True)
        tied &= np.isfinite(square)
        with np.errstate(invalid="ignore"):  # nobody is left to be found: undefined
            return np.asarray((self.own * tied).sum(axis=1) / (self.number * tied).sum(axis=1))


def recovery(originals: Rows, copies: Rows, cells: Cells) -> list[float]:
    """Return the share of copies whose nearest original is of their type: everybody, without each unit, balanced.

    Among originals of other donors; of all other cells where donors are unknown or verdicts speak for cells only.
    Of several equally near, each counts in part. The last value has all units weighing alike.

    Parameters
    ----------
    originals, copies
        Embeddings of the unperturbed and of the perturbed cells, shape (n_cells, n_dimensions).
    cells
        Their labels and units.
    """
    near = _nearest(originals, copies, cells)
    n_units = near.square.shape[1]
    everybody = near.share(np.ones(n_units, dtype=bool))
    values = [everybody.mean()]
    for unit in range(len(cells.names)):
        rest = cells.units != unit
        values.append(near.share(np.arange(n_units) != unit)[rest].mean() if rest.any() else np.nan)
    if cells.names:
        values.append(np.mean([everybody[cells.units == unit].mean() for unit in range(n_units)]))
    return [float(value) for value in values]


def _nearest(originals: Rows, copies: Rows, cells: Cells) -> _Nearest:
    """Return the nearest originals of each unit, by a matrix product and, where that could err, by differences."""
    order = np.argsort(cells.units, kind="stable")
    units, labels = cells.units[order], cells.labels[order]
    theirs, ours = originals[order].astype(np.float64), copies.astype(np.float64)
    centre = np.median(theirs, axis=0)  # one cell far away must not cost all others their digits
    theirs, ours = theirs - centre, ours - centre
    starts = np.flatnonzero(np.diff(units, prepend=-1))
    shape = (len(ours), len(starts))
    found = _Nearest(np.full(shape, np.inf), np.zeros(shape), np.zeros(shape))
    for start in range(0, len(ours), BLOCK):
        some = np.arange(start, min(start + BLOCK, len(ours)))
        by_donor = bool(cells.names) and cells.unit == "donor"
        barred = cells.units[some, None] == units if by_donor else some[:, None] == order
        cell, other = _candidates(ours[some], theirs, starts, barred)
        squares = _squares(ours, theirs, some[cell], other)
        cell, unit = some[cell], units[other]
        np.minimum.at(found.square, (cell, unit), squares)
        tied = squares <= (1 + TIED) * found.square[cell, unit]
        np.add.at(found.number, (cell[tied], unit[tied]), 1)
        same = tied & (labels[other] == cells.labels[cell])
        np.add.at(found.own, (cell[same], unit[same]), 1)
    return found


def _candidates(ours: Floats, theirs: Floats, starts: Codes, barred: npt.NDArray[np.bool_]) -> tuple[Codes, Codes]:
    """Return the pairs of which one may be the nearest of a unit: rounding is all that could tell otherwise."""
    norms = np.einsum("ij,ij->i", ours, ours)[:, None] + np.einsum("ij,ij->i", theirs, theirs)
    squares = norms - 2 * ours @ theirs.T
    slack = 2 * (ours.shape[1] + 8) * np.finfo(np.float64).eps * norms
    squares[barred] = np.inf
    least = np.minimum.reduceat(squares + slack, starts, axis=1)
    sizes = np.diff(starts, append=len(theirs))
    near = (squares - slack <= np.repeat(least, sizes, axis=1)) & ~barred
    cell, other = np.nonzero(near)
    return cell, other


def _squares(ours: Floats, theirs: Floats, cell: Codes, other: Codes) -> Floats:
    """Return the squared distances of pairs, by differences."""
    squares = np.empty(len(cell))
    for start in range(0, len(cell), PAIRS):
        pairs = slice(start, start + PAIRS)
        apart = theirs[other[pairs]] - ours[cell[pairs]]
        squares[pairs] = np.einsum("ij,ij->i", apart, apart)
    return squares

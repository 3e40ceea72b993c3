"""Annotations: what a file says of its cells and genes besides the counts, from the places where tools write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem, nearest

if TYPE_CHECKING:
    import pandas as pd

    from zsgate.data.file.table import Table

Strings = npt.NDArray[np.str_]
LARGEST = 2**63  # integers end here
FEWEST = 5  # cells that a donor or a batch has, in the mean
REMEDIES = {
    "donor": 'name the column of donors, or leave it out and speak for the cells: scope = "cells" (--scope=cells)',
    "batch": "name the column of batches, or leave it out: then batches are not scored",
}
# what files hold whose missing values were made strings; compared in lower case, but for NA
MISSING = ("", "nan", "<na>", "n/a", "#n/a", "none", "null", "nat")
DASHES = ("-", "--", "?")  # no name either, unless the column has + as well: stimulated and not
# names that people give to cells whose type they do not know; whether to leave them out is theirs to say
NO_TYPES = (
    *("unknown", "unassigned", "unlabeled", "unlabelled", "unannotated", "unclassified", "undefined", "undetermined"),
    *("not assigned", "not annotated", "no annotation", "ambiguous", "unclear", "doublet", "doublets", "multiplet"),
    *("other", "others", "tbd", "low quality", "low_quality", "to be determined"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file keeps what a run needs.

    Attributes
    ----------
    label, batch, donor
        Columns of ``obs``; batch and donor may be unknown. ``"A+B"`` joins two columns.
    counts
        ``"X"``, ``"raw"`` or ``"layers/NAME"``; None looks in layers/counts, raw and X, in that order.
    not_labels
        Labels that are no cell types, such as ``"unknown"``: cells with them are left out.
    """

    label: str | None = None
    batch: str | None = None
    donor: str | None = None
    counts: str | None = None
    not_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Names of cells and genes; the attributes are those of :class:`zsgate.data.dataset.Dataset`.

    A label, batch or donor that is an empty string is not known.
    """

    cell_ids: Strings
    cell_types: Strings
    symbols: Strings
    ensembl: Strings | None = None
    batches: Strings | None = None
    donors: Strings | None = None

    def complete_cells(self) -> tuple[npt.NDArray[np.bool_], list[str]]:
        """Return (which cells have a label, and a batch and donor where there are any; how many have not)."""
        complete, remarks = np.ones(len(self.cell_ids), dtype=bool), []
        for role, values in (("label", self.cell_types), ("batch", self.batches), ("donor", self.donors)):
            if values is None:
                continue
            missing = (values == "") & complete
            if missing.any():
                remarks.append(f"{missing.sum()} cells without a {role} are left out")
                complete &= ~missing
        return complete, remarks

    def of(self, cells: npt.NDArray[np.intp], genes: npt.NDArray[np.intp] | None = None) -> Annotations:
        """Return those of some cells and genes, by position; without ``genes``, of all genes."""

        def pick(values: Strings | None, places: npt.NDArray[np.intp] | None) -> Any:
            return values if values is None or places is None else values[places]

        return Annotations(
            cell_ids=self.cell_ids[cells],
            cell_types=self.cell_types[cells],
            symbols=pick(self.symbols, genes),
            ensembl=pick(self.ensembl, genes),
            batches=pick(self.batches, cells),
            donors=pick(self.donors, cells),
        )


def cell_columns(obs: Table, columns: Columns, where: str) -> tuple[dict[str, Strings], list[str]]:
    """Return (what :class:`Annotations` holds of cells, by attribute, remarks on the labels).

    Batches and donors are there only where their columns are named.

    Raises
    ------
    UsageProblem
        If no column of labels is named, or one cannot be read; the message begins with ``where``.
    """
    if columns.label is None:
        msg = f"{where}: which column holds the cell types? Say --label NAME; obs has {list_columns(obs)}"
        raise UsageProblem(msg)
    labels, remarks = _labels_of(obs, columns, where)
    found = {"cell_ids": obs.index, "cell_types": labels}
    for attribute, role in (("batches", "batch"), ("donors", "donor")):
        if (column := getattr(columns, role)) is not None:
            found[attribute] = column_of(obs, column, where, role)
    return found, remarks


def column_of(obs: Table, column: str, where: str, role: str) -> Strings:
    """Return a column of ``obs``, or several joined by ``+``, as strings, empty where missing.

    Raises
    ------
    UsageProblem
        If there is no such column, it is damaged or holds fractional numbers; the message names ``where`` and
        ``--role``.
    """
    if column not in obs.columns and "+" in column:
        parts = [column_of(obs, part, where, role) for part in column.split("+")]
        known = np.logical_and.reduce([part != "" for part in parts])
        return np.where(known, reduce(lambda one, two: np.char.add(np.char.add(one, " / "), two), parts), "")
    if column not in obs.columns:
        near = nearest(column, obs.columns, cutoff=0.6)
        hint = f"; did you mean {near!r}?" if near else f"; obs has {list_columns(obs)}"
        msg = f"{where}: no column {column!r} for --{role}{hint}"
        raise UsageProblem(msg)
    values = obs.column(column)
    if values.dtype.kind == "f" and (values.dropna() % 1 != 0).any():
        msg = f"{where}: column {column!r} for --{role} holds fractional numbers, not names"
        raise UsageProblem(msg)
    return strings(values)


def _labels_of(obs: Table, columns: Columns, where: str) -> tuple[Strings, list[str]]:
    """Return (cell types, empty where there is none, remarks); labels that are no cell types are missing."""
    assert columns.label is not None
    labels = column_of(obs, columns.label, where, "label")
    names, sizes = np.unique(labels, return_counts=True)
    remarks = [
        f"{size} cells are labelled {name!r}, which counts as a cell type; not_labels = [{name!r}] leaves them out"
        for name, size in zip(names.tolist(), sizes.tolist(), strict=True)
        if name.lower() in NO_TYPES and name not in columns.not_labels
    ]
    dropped = np.isin(labels, columns.not_labels)
    if dropped.any():
        shown = ", ".join(repr(name) for name in names.tolist() if name in columns.not_labels)
        remarks.append(f"{dropped.sum()} cells labelled {shown} are left out (not_labels)")
    return np.where(dropped, "", labels), remarks


def list_columns(obs: Table) -> str:
    """Return the names of the columns of ``obs`` as a message shows them: at most twelve."""
    names = obs.columns
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "no columns"


def strings(values: pd.Series) -> Strings:
    """Return a column as strings without blanks around them, empty where missing; whole numbers without a point.

    Words such as ``None`` and ``N/A`` are missing values, and dashes where no value is ``+``.
    """
    if values.dtype == "category":  # each name once, not once a cell
        names = strings(values.cat.categories.to_series())
        found: Strings = np.concatenate([names, [""]])[values.cat.codes]  # code -1 is missing
        return found
    missing = values.isna()
    if values.dtype.kind == "f":
        present = values[~missing]
        if ((present % 1 == 0) & (present.abs() < LARGEST)).all():
            values = values.astype("Int64")
    text = np.char.strip(values.astype(str).to_numpy(dtype=str))
    words = np.isin(np.char.lower(text), MISSING) | (text == "NA")
    if not (text == "+").any():
        words |= np.isin(text, DASHES)
    return np.where(missing | words, "", text)


def check_labels(labels: Strings, where: str) -> None:
    """Raise UsageProblem, which names ``where``, if there are too few or too many labels to be cell types."""
    n_labels = len(np.unique(labels))
    if n_labels < 2:
        msg = f"{where} has {n_labels} distinct value; at least two are needed"
        raise UsageProblem(msg)
    if n_labels > len(labels) / 2:
        msg = f"{where} has {n_labels} distinct values in {len(labels)} cells; cell types have several cells each"
        raise UsageProblem(msg)


def check_groups(values: Strings, where: str, role: str, column: str | None = None) -> None:
    """Refuse donors or batches that are hardly groups of cells, such as barcodes; an empty string is none.

    The units of a verdict are donors because the cells of one are alike. With a cell or two each, leaving out donors is
    leaving out cells: the interval would be that of new cells, narrower, and speak of new donors. Real data are far
    from that (63 donors among 500 cells of panc8 have 8 cells each) and may have a tail of donors with a single cell,
    so what is refused is more than half of them having one, or fewer than five cells each in the mean. A larger group
    of cells that is no donor cannot be told from one. A batch of such a size has hardly a cell of any type.

    Parameters
    ----------
    values
        Donor or batch of each cell, (n_cells,).
    where
        What messages call the file.
    role
        ``"donor"`` or ``"batch"``.
    column
        Where they are from, if that is one column.

    Raises
    ------
    UsageProblem
        In one sentence with the column, the counts and what to do.
    """
    sizes = np.unique(values[values != ""], return_counts=True)[1]
    alone = int((sizes == 1).sum())
    if not len(sizes) or (alone <= len(sizes) / 2 and sizes.mean() >= FEWEST):
        return
    named = f"column {column!r} for --{role}" if column else f"its {role} column"
    msg = (
        f"{where}: {named} has {len(sizes):,} values in {sizes.sum():,} cells, {alone:,} of them in a single cell, so "
        f"these are no {'donors' if role == 'donor' else 'batches'}; {REMEDIES[role]}"
    )
    raise UsageProblem(msg)


def refuse_duplicates(where: str, what: str, names: Strings) -> None:
    """Raise UsageProblem naming up to ten duplicates among ``names``."""
    if len(set(names.tolist())) == len(names):  # far faster than sorting half a million names
        return
    distinct, times = np.unique(names, return_counts=True)
    repeated: Sequence[str] = distinct[times > 1].tolist()
    if repeated:
        shown = ", ".join(repeated[:10]) + (", ..." if len(repeated) > 10 else "")
        msg = f"{where}: {len(repeated)} duplicate {what} names ({shown}); make them unique"
        raise UsageProblem(msg)

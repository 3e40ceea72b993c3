"""Annotations: what a file says of its cells and genes besides the counts, from the places where tools write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem, nearest

if TYPE_CHECKING:
    import pandas as pd

Strings = npt.NDArray[np.str_]
SYMBOL_COLUMNS = (
    "feature_name",
    "gene_symbols",
    "gene_symbol",
    "symbol",
    "gene_name",
    "gene_names",
    "hgnc_symbol",
)
ENSEMBL_COLUMNS = (
    "ensembl_id",
    "ensemblid",
    "ensembl",
    "ensembl_gene_id",
    "gene_ensembl_id",
    "gene_ids",
    "gene_id",
    "feature_id",
    "accession",
)
ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{11})(\.\d+)?(_PAR_Y)?")
LARGEST = 2**63  # integers end here
MISSING = ("", "nan", "NaN", "<NA>", "NA")  # what files hold whose missing values were made strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file keeps what a run needs.

    Attributes
    ----------
    label, batch, donor
        Columns of ``obs``; batch and donor may be unknown. ``"A+B"`` joins two columns.
    counts
        ``"X"``, ``"raw"`` or ``"layers/NAME"``; None looks in layers/counts, raw and X, in that order.
    """

    label: str | None = None
    batch: str | None = None
    donor: str | None = None
    counts: str | None = None


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


def column_of(obs: pd.DataFrame, column: str, where: str, role: str) -> Strings:
    """Return a column of ``obs``, or several joined by ``+``, as strings, empty where missing.

    Raises
    ------
    UsageProblem
        If there is no such column, or it holds fractional numbers; the message names ``where`` and ``--role``.
    """
    if column not in obs.columns and "+" in column:
        parts = [column_of(obs, part, where, role) for part in column.split("+")]
        known = np.logical_and.reduce([part != "" for part in parts])
        return np.where(known, reduce(lambda one, two: np.char.add(np.char.add(one, " / "), two), parts), "")
    if column not in obs.columns:
        near = nearest(column, [str(name) for name in obs.columns], cutoff=0.6)
        hint = f"; did you mean {near!r}?" if near else f"; obs has {list_columns(obs)}"
        msg = f"{where}: no column {column!r} for --{role}{hint}"
        raise UsageProblem(msg)
    values = obs[column]
    if values.dtype.kind == "f" and (values.dropna() % 1 != 0).any():
        msg = f"{where}: column {column!r} for --{role} holds fractional numbers, not names"
        raise UsageProblem(msg)
    return strings(values)


def list_columns(obs: pd.DataFrame) -> str:
    """Return the names of the columns of ``obs`` as a message shows them: at most twelve."""
    names = [str(name) for name in obs.columns]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "no columns"


def strings(values: pd.Series) -> Strings:
    """Return a column as strings, empty where missing; whole numbers are written without a decimal point."""
    if values.dtype == "category":  # each name once, not once a cell
        names = strings(values.cat.categories.to_series())
        found: Strings = np.concatenate([names, [""]])[values.cat.codes]  # code -1 is missing
        return found
    missing = values.isna()
    if values.dtype.kind == "f":
        present = values[~missing]
        if ((present % 1 == 0) & (present.abs() < LARGEST)).all():
            values = values.astype("Int64")
    text = values.astype(str).to_numpy(dtype=str)
    return np.where(missing | np.isin(text, MISSING), "", text)


def check_labels(labels: Strings, where: str) -> None:
    """Raise UsageProblem, which names ``where``, if there are too few or too many labels to be cell types."""
    n_labels = len(np.unique(labels))
    if n_labels < 2:
        msg = f"{where} has {n_labels} distinct value; at least two are needed"
        raise UsageProblem(msg)
    if n_labels > len(labels) / 2:
        msg = f"{where} has {n_labels} distinct values in {len(labels)} cells; cell types have several cells each"
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


def gene_names(var: pd.DataFrame) -> tuple[Strings, Strings | None, list[str]]:
    """Return (symbols, Ensembl ids without version or None, remarks) of the genes of ``var``.

    A gene without an Ensembl id, or with one that an earlier gene has, keeps its name in the index.

    Parameters
    ----------
    var
        The index holds symbols or Ensembl ids, columns may hold the other.
    """
    index = var.index.to_numpy(dtype=str)
    symbols, ids = index, index
    if are_ensembl(index) or np.char.isdigit(index).all():
        named = next((strings(var[column]) for column in _columns(var, SYMBOL_COLUMNS)), index)
        symbols = np.where(named == "", index, named)
    if not are_ensembl(index):
        found = next(filter(are_ensembl, (strings(var[column]) for column in _columns(var, ENSEMBL_COLUMNS))), None)
        if found is None:
            return symbols, None, []
        ids = found
    bare = np.array([_without_version(name) for name in ids.tolist()])
    first = np.zeros(len(bare), dtype=bool)
    first[np.unique(bare, return_index=True)[1]] = True
    own = first & (bare != "")
    remarks = [] if own.all() else [f"{(~own).sum()} genes without an Ensembl id of their own go by their name"]
    return symbols, np.where(own, bare, index), remarks


def add_gene_columns(var: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return ``var`` with the columns of symbols and of ids that only ``other`` has, by the names in the index."""
    lacking = [
        column
        for kind in (SYMBOL_COLUMNS, ENSEMBL_COLUMNS)
        if not _columns(var, kind)
        for column in _columns(other, kind)
    ]
    return var.join(other[lacking]) if lacking and other.index.is_unique else var


def are_ensembl(names: Strings) -> bool:
    """Return whether at least nine in ten of the names that are not empty are Ensembl gene ids."""
    there = [name for name in names.tolist() if name]
    return bool(there) and sum(_without_version(name) != "" for name in there) >= 0.9 * len(there)


def _columns(var: pd.DataFrame, names: Sequence[str]) -> list[Any]:
    """Return the columns of these names, whatever their case, in the order of the names."""
    by_name = {str(column).lower(): column for column in var.columns}
    return [by_name[name] for name in names if name in by_name]


def _without_version(name: str) -> str:
    """Return an Ensembl gene id without version, or an empty string for another name."""
    match = ENSEMBL.fullmatch(name)
    return match[1] if match else ""

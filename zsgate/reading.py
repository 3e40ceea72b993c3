"""From an .h5ad file to a Dataset: where the counts, labels and gene names are, and what is wrong with them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from zsgate.counts import as_counts, check_counts, fault_of
from zsgate.dataset import Dataset, Strings
from zsgate.errors import UsageProblem
from zsgate.genes import gene_names, strings
from zsgate.names import nearest

if TYPE_CHECKING:
    import anndata
    import pandas as pd

FILES = (".h5ad", ".zarr")
MIN_GENES = 10  # of the paper: cells with fewer detected genes are dropped
MIN_CELLS = 10  # of the paper: genes seen in fewer cells are dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file keeps what a trial needs.

    Attributes
    ----------
    label, batch, donor
        Columns of ``obs``; batch and donor may be unknown.
    counts
        ``"X"``, ``"raw"`` or ``"layers/NAME"``; None looks in layers/counts, raw and X, in that order.
    """

    label: str | None = None
    batch: str | None = None
    donor: str | None = None
    counts: str | None = None


def read_h5ad(
    path: Path,
    name: str,
    columns: Columns,
    *,
    scope: str = "donors",
    card: Mapping[str, Any] | None = None,
    rounding: bool = False,
) -> Dataset:
    """Return the cells of an ``.h5ad`` file that have a label, filtered as the paper filters.

    Parameters
    ----------
    path
        The file.
    name
        Name of the dataset.
    columns
        Where label, batch, donor and counts are.
    scope
        ``"donors"`` or ``"cells"``.
    card
        Facts for the report.
    rounding
        Round fractional counts to the nearest integer instead of refusing them.

    Raises
    ------
    UsageProblem
        If the file cannot be read, a column is missing, the counts are not counts or names repeat.
    """
    adata = _open(path)
    where = path.name
    if columns.label is None:
        msg = f"{where}: which column holds the cell types? Say --label NAME; obs has {_listed(adata.obs.columns)}"
        raise UsageProblem(msg)
    obs = {
        role: _column(adata.obs, column, where, role)
        for role, column in (("label", columns.label), ("batch", columns.batch), ("donor", columns.donor))
        if column is not None
    }
    counts, var, notes = _counts(adata, columns.counts, where, rounding)
    symbols, ensembl, remarks = gene_names(var)
    return assembled(
        name,
        counts=counts,
        cell_ids=adata.obs_names.to_numpy(dtype=str),
        cell_types=obs["label"],
        symbols=symbols,
        ensembl=ensembl,
        batches=obs.get("batch"),
        donors=obs.get("donor"),
        scope=scope,
        card={**(card or {}), "notes": [*(card or {}).get("notes", ()), *notes, *remarks]},
        where=f"{where}: column {columns.label!r} for --label",
    )


def assembled(
    name: str,
    *,
    counts: Any,
    cell_types: Strings,
    card: Mapping[str, Any],
    batches: Strings | None = None,
    donors: Strings | None = None,
    where: str = "",
    **rest: Any,
) -> Dataset:
    """Return a Dataset of the cells that have a label, filtered as the paper filters.

    Parameters
    ----------
    name, counts, cell_types, card, batches, donors, rest
        As of :class:`zsgate.dataset.Dataset`; a label, batch or donor that is empty is not known.
    where
        Where the labels come from, for the message.

    Raises
    ------
    UsageProblem
        If no cell or gene is left, or the labels cannot be cell types.
    """
    counts = as_counts(counts)
    notes: list[str] = []
    columns = {"label": cell_types, "batch": batches, "donor": donors}
    known = _labelled({role: values for role, values in columns.items() if values is not None}, notes)
    rows = np.flatnonzero(known & _rich_enough(counts, notes))
    where = where or f"dataset {name!r}: labels"
    if not len(rows):
        msg = f"{where.partition(':')[0]}: no cell has both a label and {MIN_GENES} detected genes"
        raise UsageProblem(msg)
    dataset = Dataset(
        name=name,
        counts=counts[rows],
        cell_types=_told_apart(cell_types[rows], where),
        batches=None if batches is None else batches[rows],
        donors=None if donors is None else donors[rows],
        card={**card, "notes": [*card.get("notes", ()), *notes]},
        **{**rest, "cell_ids": rest["cell_ids"][rows]},
    )
    return without_rare_genes(dataset)


def is_file(entry: str) -> bool:
    """Return whether a dataset is named by its file, not by its name."""
    return entry.endswith(FILES)


def without_rare_genes(dataset: Dataset, min_cells: int = MIN_CELLS) -> Dataset:
    """Return the dataset with the genes seen in at least ``min_cells`` of its cells.

    Raises
    ------
    UsageProblem
        If there is no such gene.
    """
    seen = np.bincount(dataset.counts.indices, minlength=dataset.counts.shape[1])
    genes = np.flatnonzero(seen >= min_cells)
    if not len(genes):
        msg = f"dataset {dataset.name!r}: no gene is seen in {min_cells} of its {dataset.n_cells} cells"
        raise UsageProblem(msg)
    return dataset.with_genes(genes)


def _open(path: Path) -> anndata.AnnData:
    import anndata

    if path.suffix != ".h5ad":
        msg = f"{path}: datasets are read from .h5ad files"
        raise UsageProblem(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that repeat and old formats; what matters is refused below
            return anndata.read_h5ad(path)
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise UsageProblem(msg) from None
    except Exception as error:  # the boundary to h5py and anndata: a damaged or newer file fails there in any way
        msg = f"{path}: not a readable .h5ad file ({' '.join(str(error).split())})"
        raise UsageProblem(msg) from error


def _counts(
    adata: anndata.AnnData, place: str | None, where: str, rounding: bool
) -> tuple[sp.csr_matrix, pd.DataFrame, list[str]]:
    """Return (counts, var, remarks), from where the user says or from the first place that holds counts."""
    places = _places(adata)
    listed = ", ".join(places) or "no matrix"
    if place is not None:
        if place not in places:
            msg = f"{where}: no counts at {place!r}; the file has {listed}"
            raise UsageProblem(msg)
        counts, var = _at(adata, place, where)
        if rounding:
            counts.data = np.rint(counts.data)
        check_counts(f"{where} ({place})", counts)
        return counts, var, []
    faults = []
    for candidate in ("layers/counts", "raw", "X"):
        if candidate in places:
            counts, var = _at(adata, candidate, where)
            fault = fault_of(counts)
            if not fault:
                return counts, var, [f"counts taken from {candidate}"]
            faults.append(f"{candidate} holds {fault}")
    found = "; ".join(faults) or "neither layers/counts nor raw nor X is there"
    msg = f"{where}: no raw counts found: {found}; say with --counts where they are (the file has {listed})"
    raise UsageProblem(msg)


def _places(adata: anndata.AnnData) -> list[str]:
    raw = ["raw"] if adata.raw is not None else []
    return [f"layers/{name}" for name in adata.layers] + raw + ["X"] * (adata.X is not None)


def _at(adata: anndata.AnnData, place: str, where: str) -> tuple[sp.csr_matrix, pd.DataFrame]:
    holder = adata.raw if place == "raw" else adata
    matrix = adata.layers[place.removeprefix("layers/")] if place.startswith("layers/") else holder.X
    try:
        return as_counts(matrix), holder.var
    except (TypeError, ValueError) as error:
        msg = f"{where}: {place} is no matrix of numbers ({error})"
        raise UsageProblem(msg) from error


def _column(obs: pd.DataFrame, column: str, where: str, role: str) -> Strings:
    """Return a column of ``obs``, or several joined by ``+``, as strings, empty where missing."""
    if column not in obs.columns and "+" in column:
        parts = [_column(obs, part, where, role) for part in column.split("+")]
        known = np.logical_and.reduce([part != "" for part in parts])
        return np.where(known, reduce(lambda one, two: np.char.add(np.char.add(one, " / "), two), parts), "")
    if column not in obs.columns:
        near = nearest(column, [str(name) for name in obs.columns], cutoff=0.6)
        hint = f"; did you mean {near!r}?" if near else f"; obs has {_listed(obs.columns)}"
        msg = f"{where}: no column {column!r} for --{role}{hint}"
        raise UsageProblem(msg)
    values = obs[column]
    if values.dtype.kind == "f" and (values.dropna() % 1 != 0).any():
        msg = f"{where}: column {column!r} for --{role} holds fractional numbers, not names"
        raise UsageProblem(msg)
    return strings(values)


def _told_apart(labels: Strings, where: str) -> Strings:
    """Return ``labels``, or refuse what cannot be cell types."""
    n_labels = len(np.unique(labels))
    if n_labels < 2:
        msg = f"{where} has {n_labels} distinct value; at least two are needed"
        raise UsageProblem(msg)
    if n_labels > len(labels) / 2:
        msg = f"{where} has {n_labels} distinct values in {len(labels)} cells; cell types have several cells each"
        raise UsageProblem(msg)
    return labels


def _labelled(obs: Mapping[str, Strings], notes: list[str]) -> np.ndarray:
    known = np.ones(len(obs["label"]), dtype=bool)
    for role, values in obs.items():
        missing = (values == "") & known
        if missing.any():
            notes.append(f"{missing.sum()} cells without a {role} are left out")
            known &= ~missing
    return known


def _rich_enough(counts: sp.csr_matrix, notes: list[str]) -> np.ndarray:
    rich = np.diff(counts.indptr) >= MIN_GENES
    if not rich.all():
        notes.append(f"{(~rich).sum()} cells with fewer than {MIN_GENES} detected genes are left out")
    return np.asarray(rich)


def _listed(columns: Sequence[Any]) -> str:
    names = [str(column) for column in columns]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "no columns"

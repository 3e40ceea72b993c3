"""From an .h5ad file to a Dataset: where the counts, labels and gene names are, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from zsgate.dataset import Dataset, Strings, check_counts
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    import anndata
    import pandas as pd

MIN_GENES = 10  # of the paper: cells with fewer detected genes are dropped
MIN_CELLS = 10  # of the paper: genes seen in fewer cells are dropped
SYMBOL_COLUMNS = (
    "feature_name",
    "gene_symbols",
    "gene_symbol",
    "symbol",
    "gene_name",
    "gene_names",
    "hgnc_symbol",
)
ENSEMBL_COLUMNS = ("ensembl_id", "ensembl", "gene_ids", "gene_id", "feature_id")
ENSEMBL = re.compile(r"ENS[A-Z]*G\d{11}(\.\d+)?")


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


@dataclass(frozen=True, slots=True)
class _Frame:
    counts: sp.csr_matrix
    var: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def read_h5ad(
    path: Path,
    name: str,
    columns: Columns,
    *,
    scope: str = "donors",
    card: Mapping[str, Any] | None = None,
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

    Raises
    ------
    UsageProblem
        If the file cannot be read, a column is missing, the counts are not counts or names repeat.
    """
    adata = _open(path)
    where = f"{path.name}"
    if columns.label is None:
        msg = f"{where}: which column holds the cell types? Say --label NAME; obs has {_listed(adata.obs.columns)}"
        raise UsageProblem(msg)
    frame = _counts(adata, columns.counts, where)
    obs = {
        role: _column(adata.obs, column, where, role)
        for role, column in (("label", columns.label), ("batch", columns.batch), ("donor", columns.donor))
        if column is not None
    }
    symbols, ensembl = _genes(frame.var, where)
    notes = list(frame.notes)
    keep = _labelled(obs, notes) & _rich_enough(frame.counts, notes)
    rows = np.flatnonzero(keep)
    if not len(rows):
        msg = f"{where}: no cell has both a label and {MIN_GENES} detected genes"
        raise UsageProblem(msg)
    dataset = Dataset(
        name=name,
        counts=frame.counts[rows],
        cell_ids=adata.obs_names.to_numpy(dtype=str)[rows],
        cell_types=obs["label"][rows],
        symbols=symbols,
        ensembl=ensembl,
        batches=obs["batch"][rows] if "batch" in obs else None,
        donors=obs["donor"][rows] if "donor" in obs else None,
        scope=scope,
        card={**(card or {}), "notes": [*(card or {}).get("notes", ()), *notes]},
    )
    return without_rare_genes(dataset)


def without_rare_genes(dataset: Dataset, min_cells: int = MIN_CELLS) -> Dataset:
    """Return the dataset with the genes seen in at least ``min_cells`` of its cells."""
    seen = np.bincount(dataset.counts.indices, minlength=dataset.counts.shape[1])
    genes = np.flatnonzero(seen >= min_cells)
    return dataset.with_genes(genes)


def _open(path: Path) -> anndata.AnnData:
    import anndata

    try:
        return anndata.read_h5ad(path)
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise UsageProblem(msg) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: not a readable .h5ad file ({error})"
        raise UsageProblem(msg) from error


def _counts(adata: anndata.AnnData, place: str | None, where: str) -> _Frame:
    """Return the raw counts, from where the user says or from the first place that holds integers."""
    if place is not None:
        matrix, var = _at(adata, place, where)
        counts = _csr(matrix)
        check_counts(f"{where} ({place})", counts)
        return _Frame(counts, var)
    tried = []
    for candidate in ("layers/counts", "raw", "X"):
        if candidate not in _places(adata):
            continue
        matrix, var = _at(adata, candidate, where)
        counts = _csr(matrix)
        try:
            check_counts(where, counts)
        except UsageProblem as problem:
            tried.append(str(problem).split(": ", 1)[1].split(";")[0].replace("the counts", candidate))
        else:
            return _Frame(counts, var, [f"counts taken from {candidate}"])
    msg = f"{where}: no raw counts found in {', '.join(_places(adata))} ({'; '.join(tried)}); say where with --counts"
    raise UsageProblem(msg)


def _places(adata: anndata.AnnData) -> list[str]:
    raw = ["raw"] if adata.raw is not None else []
    return [f"layers/{name}" for name in adata.layers] + raw + ["X"] * (adata.X is not None)


def _at(adata: anndata.AnnData, place: str, where: str) -> tuple[Any, pd.DataFrame]:
    if place not in _places(adata):
        msg = f"{where}: no counts at {place!r}; the file has {', '.join(_places(adata))}"
        raise UsageProblem(msg)
    if place == "raw":
        return adata.raw.X, adata.raw.var
    return (adata.X if place == "X" else adata.layers[place.removeprefix("layers/")]), adata.var


def _csr(matrix: Any) -> sp.csr_matrix:
    counts = sp.csr_matrix(matrix, dtype=np.float32)
    if counts is matrix:
        counts = counts.copy()
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return counts


def _column(obs: pd.DataFrame, column: str, where: str, role: str) -> Strings:
    """Return a column of ``obs`` as strings, empty where missing."""
    if column not in obs.columns:
        near = get_close_matches(column, [str(name) for name in obs.columns], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; obs has {_listed(obs.columns)}"
        msg = f"{where}: no column {column!r} for --{role}{hint}"
        raise UsageProblem(msg)
    values = obs[column]
    return np.where(values.isna(), "", values.astype(str)).astype(str)


def _genes(var: pd.DataFrame, where: str) -> tuple[Strings, Strings | None]:
    """Return (symbols, Ensembl ids or None), from the index and the columns other tools write."""
    index = var.index.to_numpy(dtype=str)
    by_name = {str(column).lower(): column for column in var.columns}
    ensembl = _ensembl(index)
    for column in ENSEMBL_COLUMNS:
        if ensembl is None and column in by_name:
            ensembl = _ensembl(var[by_name[column]].astype(str).to_numpy(dtype=str))
    if _ensembl(index) is None:
        return index, ensembl
    for column in SYMBOL_COLUMNS:
        if column in by_name:
            return var[by_name[column]].astype(str).to_numpy(dtype=str), ensembl
    return index, ensembl


def _ensembl(names: Strings) -> Strings | None:
    """Return the ids without versions if at least nine in ten names are unique Ensembl gene ids, else None."""
    matches = [ENSEMBL.fullmatch(name) for name in names.tolist()]
    if not matches or sum(match is not None for match in matches) < 0.9 * len(matches):
        return None
    bare = np.array([name.split(".")[0] if match else name for name, match in zip(names, matches, strict=True)])
    return bare if len(np.unique(bare)) == len(bare) else None


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

"""Genes: their symbols and Ensembl ids, from the places where other tools write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zsgate.data.dataset import Strings

if TYPE_CHECKING:
    import pandas as pd

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
    bare = np.array([_bare(name) for name in ids.tolist()])
    first = np.zeros(len(bare), dtype=bool)
    first[np.unique(bare, return_index=True)[1]] = True
    apart = first & (bare != "")
    remarks = [] if apart.all() else [f"{(~apart).sum()} genes without an Ensembl id of their own go by their name"]
    return symbols, np.where(apart, bare, index), remarks


def named_by(var: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return ``var`` with the columns of symbols and of ids that only ``other`` has, by the names in the index."""
    lacking = [
        column
        for kind in (SYMBOL_COLUMNS, ENSEMBL_COLUMNS)
        if not _columns(var, kind)
        for column in _columns(other, kind)
    ]
    return var.join(other[lacking]) if lacking and other.index.is_unique else var


def _columns(var: pd.DataFrame, names: Sequence[str]) -> list[Any]:
    """Return the columns of these names, whatever their case, in the order of the names."""
    by_name = {str(column).lower(): column for column in var.columns}
    return [by_name[name] for name in names if name in by_name]


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


def are_ensembl(names: Strings) -> bool:
    """Return whether at least nine in ten of the names that are there are Ensembl gene ids."""
    there = [name for name in names.tolist() if name]
    return bool(there) and sum(_bare(name) != "" for name in there) >= 0.9 * len(there)


def _bare(name: str) -> str:
    """Return an Ensembl gene id without version, or an empty string for another name."""
    match = ENSEMBL.fullmatch(name)
    return match[1] if match else ""

"""Genes: their symbols and Ensembl ids, from the places where other tools write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from zsgate.dataset import Strings

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
ENSEMBL_COLUMNS = ("ensembl_id", "ensemblid", "ensembl", "gene_ids", "gene_id", "feature_id")
ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{11})(\.\d+)?(_PAR_Y)?")
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
    by_name = {str(column).lower(): column for column in var.columns}
    columns = {name: strings(var[column]) for name, column in by_name.items()}
    symbols, ids = index, index
    if are_ensembl(index) or np.char.isdigit(index).all():
        named = next((columns[name] for name in SYMBOL_COLUMNS if name in columns), index)
        symbols = np.where(named == "", index, named)
    if not are_ensembl(index):
        found = [columns[name] for name in ENSEMBL_COLUMNS if name in columns and are_ensembl(columns[name])]
        if not found:
            return symbols, None, []
        ids = found[0]
    bare = np.array([_bare(name) for name in ids.tolist()])
    first = np.zeros(len(bare), dtype=bool)
    first[np.unique(bare, return_index=True)[1]] = True
    apart = first & (bare != "")
    remarks = [] if apart.all() else [f"{(~apart).sum()} genes without an Ensembl id of their own go by their name"]
    return symbols, np.where(apart, bare, index), remarks


def strings(values: pd.Series) -> Strings:
    """Return a column as strings, empty where missing; whole numbers are written without a decimal point."""
    if values.dtype == "category":  # each name once, not once a cell
        names = strings(values.cat.categories.to_series())
        found: Strings = np.concatenate([names, [""]])[values.cat.codes]  # code -1 is missing
        return found
    missing = values.isna()
    if values.dtype.kind == "f":
        present = values[~missing]
        if (present % 1 == 0).all():
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

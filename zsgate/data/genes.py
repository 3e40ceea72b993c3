"""Genes: their symbols and Ensembl ids, from the columns and the spellings in which tools write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.data.annotations import Strings, strings
from zsgate.errors import UsageProblem

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
FEATURE_COLUMNS = ("feature_types", "feature_type")
GENE_EXPRESSION = "Gene Expression"  # what Cell Ranger calls genes; the rest of its kinds are below
OTHER_FEATURES = ("Antibody Capture", "CRISPR Guide Capture", "Multiplexing Capture", "Peaks", "Custom")
ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{11})(\.\d+)?(_PAR_Y)?")
PAIR = re.compile(r"(?P<id>ENS[A-Z]*G\d{11}(\.\d+)?)[|:;_](?P<symbol>.+)")  # as ENSG00000141510|TP53
REVERSED = re.compile(r"(?P<symbol>.+)[|:;_](?P<id>ENS[A-Z]*G\d{11}(\.\d+)?)")
GENOME = re.compile(r"(GRCh3[78]|hg19|hg38|GRCm3[89]|mm10|mm39|T2T-CHM13)_+(?=.)")  # Cell Ranger's, of a mixture
MOST = 0.9  # share of the names that must be spelled alike to be read so


def columns_of_genes(columns: Sequence[str]) -> list[str]:
    """Return those of a table's columns that say what its genes are called and what kind of feature they are."""
    wanted = {*SYMBOL_COLUMNS, *ENSEMBL_COLUMNS, *FEATURE_COLUMNS}
    return [column for column in columns if column.lower() in wanted]


def are_expressed(var: pd.DataFrame, where: str) -> npt.NDArray[np.bool_] | None:
    """Return which features are genes and no antibodies, guides or peaks, bool (n_features,); None: all of them.

    Raises
    ------
    UsageProblem
        If none of them is; the message names ``where``.
    """
    for column in _columns(var, FEATURE_COLUMNS):
        kinds = strings(var[column])
        expressed = kinds == GENE_EXPRESSION
        if expressed.any():
            return None if expressed.all() else expressed
        if others := sorted(set(kinds.tolist()) & set(OTHER_FEATURES)):
            msg = f"{where} lists no gene: column {column!r} has {', '.join(others)}, and no {GENE_EXPRESSION!r}"
            raise UsageProblem(msg)
    return None


def gene_names(var: pd.DataFrame) -> tuple[Strings, Strings | None, list[str]]:
    """Return (symbols, Ensembl ids without version or None, remarks) of the genes of ``var``.

    A gene without an Ensembl id, or with one that an earlier gene has, keeps its name in the index. Names such as
    ``ENSG00000141510|TP53`` are read as id and symbol, and ``GRCh38_TP53`` without the genome where there is but one.

    Parameters
    ----------
    var
        The index holds symbols or Ensembl ids, columns may hold the other.
    """
    index, remarks = _without_genome(var.index.to_numpy(dtype=str))
    symbols, ids = index, index
    if pairs := _split_pairs(index):
        symbols, ids, remark = pairs
        remarks = [*remarks, remark]
    elif are_ensembl(index) or np.char.isdigit(index).all():
        named = next((strings(var[column]) for column in _columns(var, SYMBOL_COLUMNS)), index)
        symbols = np.where(named == "", index, named)
    if not are_ensembl(ids):
        columns = (_without_genome(strings(var[column]))[0] for column in _columns(var, ENSEMBL_COLUMNS))
        found = next(filter(are_ensembl, columns), None)
        if found is None:
            return symbols, None, remarks
        ids = found
    bare = np.array([_without_version(name) for name in ids.tolist()])
    first = np.zeros(len(bare), dtype=bool)
    first[np.unique(bare, return_index=True)[1]] = True
    own = first & (bare != "")
    if not own.all():
        remarks = [*remarks, f"{(~own).sum()} genes without an Ensembl id of their own go by their name"]
    return symbols, np.where(own, bare, index), remarks


def _without_genome(names: Strings) -> tuple[Strings, list[str]]:
    """Return (names without the genome in front, remarks) if most are of one genome; as they are if of several."""
    found = [GENOME.match(name) for name in names.tolist()]
    genomes = {match[1] for match in found if match}
    if sum(match is not None for match in found) < MOST * max(1, len(names)):
        return names, []
    if len(genomes) > 1:
        return names, [f"the genes are of several genomes ({', '.join(sorted(genomes))}) and keep their names"]
    bare = [name[match.end() :] if match else name for name, match in zip(names.tolist(), found, strict=True)]
    prefix = next(match[0] for match in found if match)
    return np.array(bare, dtype=str), [f"gene names are read without {prefix!r} in front"]


def _split_pairs(names: Strings) -> tuple[Strings, Strings, str] | None:
    """Return (symbols, Ensembl ids, remark) if most names hold both, or None; other names stand for both."""
    for pattern in (PAIR, REVERSED):
        found = [pattern.fullmatch(name) for name in names.tolist()]
        if len(names) and sum(match is not None for match in found) >= MOST * len(names):
            both = [(m["symbol"], m["id"]) if m else (n, n) for m, n in zip(found, names.tolist(), strict=True)]
            symbols, ids = (np.array(part, dtype=str) for part in zip(*both, strict=True))
            return symbols, ids, f"gene names such as {names[0]!r} are read as Ensembl id and symbol"
    return None


def add_gene_columns(var: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return ``var`` with the columns of symbols, ids and kinds that only ``other`` has, by the names in the index."""
    lacking = [
        column
        for kind in (SYMBOL_COLUMNS, ENSEMBL_COLUMNS, FEATURE_COLUMNS)
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

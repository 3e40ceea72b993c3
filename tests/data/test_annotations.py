"""Genes are found where tools write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from zsgate.data.annotations import strings
from zsgate.data.genes import are_ensembl, gene_names


def symbols_in_index(var):
    var.index = var["symbol"].to_numpy()
    return var.rename(columns={"ensembl_id": "gene_ids"}).drop(columns="symbol")


def versions_in_index(var):
    var.index = [f"{name}.{i % 20}" for i, name in enumerate(var.index)]
    return var.drop(columns="ensembl_id").rename(columns={"symbol": "feature_name"})


def versions_in_column(var):
    var.index = var["symbol"].to_numpy()
    var["ensembl_id"] = [f"{name}.3" for name in var["ensembl_id"]]
    return var


def numbers_in_index(var):
    var.index = [str(i) for i in range(len(var))]
    return var.rename(columns={"symbol": "Gene_Symbol"})


def other_columns_beside(var):
    return symbols_in_index(var).assign(mean=1e30, share=np.inf)


@pytest.mark.parametrize(
    "write", [symbols_in_index, versions_in_index, versions_in_column, numbers_in_index, other_columns_beside]
)
def test_genes_are_found_where_tools_write_them(adata, some, reread, write):
    """Symbols or Ensembl ids in the index, the others in a column, with or without versions."""
    adata.var = write(adata.var)
    dataset = reread(adata)
    assert dataset.symbols.tolist() == some.symbols.tolist()
    assert dataset.ensembl.tolist() == some.ensembl.tolist()


@pytest.mark.parametrize("column", ["ensembl_gene_id", "gene_ensembl_id", "Accession", "ENSEMBL"])
def test_ids_are_found_by_more_names(column):
    """Those of other tools too, where the values are Ensembl ids."""
    ids = [f"ENSG{i:011d}" for i in range(3)]
    assert gene_names(pd.DataFrame({column: ids}, index=list("abc")))[1].tolist() == ids
    assert gene_names(pd.DataFrame({column: ["NM_1", "NM_2", "NM_3"]}, index=list("abc")))[1] is None


def test_numbers_that_no_integer_holds_stay_as_they_are():
    """A column of 1e30 is text like any other; whole numbers lose their point."""
    assert strings(pd.Series([1e30, 2.0, np.nan])).tolist() == ["1e+30", "2.0", ""]
    assert strings(pd.Series([-9e18, 2.0, np.nan])).tolist() == ["-9000000000000000000", "2", ""]


def test_genes_of_raw_are_named_by_var(adata, some, reread):
    """Where raw has ids alone, var's symbols are taken; a gene that var lacks keeps its id. Raw's own names stay."""
    adata.var = adata.var.rename(columns={"symbol": "feature_name"}).drop(columns="ensembl_id")
    bare = adata.copy()
    bare.var = bare.var[[]]
    adata.raw = bare
    few = adata[:, 100:].copy()
    few.X = few.X.log1p()
    dataset = reread(few)
    assert dataset.symbols.tolist() == [*some.ensembl[:100].tolist(), *some.symbols[100:].tolist()]
    bare.var["gene_symbols"] = some.symbols
    few.raw = bare
    assert reread(few).symbols.tolist() == some.symbols.tolist()


def test_symbols_alone_are_enough(adata, some, reread):
    """Without ids there are none; without symbols the ids stand in."""
    adata.var = symbols_in_index(adata.var)[[]]
    assert reread(adata).ensembl is None
    adata.var = pd.DataFrame(index=pd.Index(some.ensembl.astype(object)))
    assert reread(adata).symbols.tolist() == some.ensembl.tolist()


def test_a_gene_without_an_id_keeps_its_name():
    """Missing and repeated ids cost those genes their id, not all genes theirs; a remark counts them."""
    ids = [f"ENSG{i:011d}" for i in range(20)]
    names = [f"G{i}" for i in range(20)]
    var = pd.DataFrame({"ensembl_id": ["", None, *ids[2:19], ids[18]]}, index=names)
    symbols, ensembl, remarks = gene_names(var)
    assert symbols.tolist() == names
    assert ensembl.tolist() == ["G0", "G1", *ids[2:19], "G19"]
    assert remarks == ["3 genes without an Ensembl id of their own go by their name"]


def test_genes_of_the_y_chromosome_s_second_copy_stay_apart():
    """GENCODE's ids with _PAR_Y name the second copy of a gene of X: the version goes, the copy keeps its name."""
    ids = [f"ENSG{i:011d}.2" for i in range(11)] + ["ENSG00000000003.2_PAR_Y"]
    symbols, ensembl, _ = gene_names(pd.DataFrame({"gene_name": [f"G{i}" for i in range(11)] + [np.nan]}, index=ids))
    assert ensembl.tolist() == [name[:15] for name in ids[:11]] + ids[11:]
    assert symbols.tolist() == [f"G{i}" for i in range(11)] + ids[11:]


def test_a_column_of_something_else_holds_no_ids():
    """A column named gene_id that holds other ids is not taken for Ensembl's."""
    var = pd.DataFrame({"gene_id": ["7157", "1956"], "feature_id": ["ENSG00000141510", ""]}, index=["TP53", "EGFR"])
    assert gene_names(var)[1].tolist() == ["ENSG00000141510", "EGFR"]
    assert gene_names(var[["gene_id"]])[1] is None
    assert not are_ensembl(np.array(["", ""]))

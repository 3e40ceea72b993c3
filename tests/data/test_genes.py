"""Genes are found where tools write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from zsgate.data import read
from zsgate.data.genes import are_ensembl, gene_names
from zsgate.errors import UsageProblem


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


def pairs(var):
    var.index = [f"{id_}|{symbol}" for id_, symbol in zip(var["ensembl_id"], var["symbol"], strict=True)]
    return var[[]]


def reversed_pairs(var):
    var.index = [f"{symbol}_{id_}.7" for id_, symbol in zip(var["ensembl_id"], var["symbol"], strict=True)]
    return var[[]]


def with_genome(var):
    var.index = [f"GRCh38_{symbol}" for symbol in var["symbol"]]
    return var.assign(gene_ids=[f"GRCh38_{id_}" for id_ in var["ensembl_id"]])[["gene_ids"]]


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (pairs, "gene names such as 'ENSG"),
        (reversed_pairs, "are read as Ensembl id and symbol"),
        (with_genome, "gene names are read without 'GRCh38_' in front"),
    ],
)
def test_names_with_more_in_them_are_taken_apart(adata, some, reread, write, said):
    """Id and symbol in one, or the genome in front: the same genes, and the card says how they were read."""
    adata.var = write(adata.var)
    dataset = reread(adata)
    assert dataset.symbols.tolist() == some.symbols.tolist()
    assert dataset.ensembl.tolist() == some.ensembl.tolist()
    assert said in " ".join(dataset.notes)


def test_genes_of_two_genomes_keep_their_names():
    """In a mixture the genome tells genes from each other; it is said."""
    names = ["GRCh38_TP53", "mm10___Trp53", "GRCh38_EGFR"]
    symbols, _, remarks = gene_names(pd.DataFrame(index=names))
    assert symbols.tolist() == names
    assert remarks == ["the genes are of several genomes (GRCh38, mm10) and keep their names"]


@pytest.mark.parametrize("in_memory", [1 << 26, 1000])
def test_antibodies_are_no_genes(adata, some, reread, tmp_path, monkeypatch, in_memory):
    """Of Cell Ranger's feature types only Gene Expression is read, wherever the counts are; the rest is counted."""
    monkeypatch.setattr(read, "IN_MEMORY", in_memory)
    kinds = np.where(np.arange(adata.n_vars) % 7, "Gene Expression", "Custom").astype(object)
    kinds[:3] = "Antibody Capture"
    adata.var["feature_types"] = pd.Categorical(kinds)
    genes = adata.var["feature_types"].to_numpy() == "Gene Expression"
    for written in (adata, as_raw(adata), as_columns(adata)):
        dataset = reread(written, cache=tmp_path / "cache")
        assert dataset.ensembl.tolist() == some.ensembl[genes].tolist()
        if dataset.expression is not None:
            assert dataset.expression.gene_names()[1].tolist() == some.ensembl[genes].tolist()
            values = dataset.expression.values(slice(0, dataset.n_cells))
            np.testing.assert_allclose(values.toarray(), np.log1p(some.counts[:, genes].toarray()), rtol=1e-6)
        assert (dataset.counts != some.counts[:, genes]).nnz == 0
        assert f"{(~genes).sum()} features that are no genes are left out" in dataset.notes


def as_raw(adata):
    made = adata.copy()
    made.raw = adata.copy()
    made.X = made.X.log1p()
    return made


def as_columns(adata):
    made = adata.copy()
    made.X = made.X.tocsc()
    return made


def test_a_file_of_antibodies_alone_is_refused(adata, reread):
    """Nothing of it is a gene; kinds of genes in a column of the same name are no reason to refuse."""
    adata.var["feature_types"] = "protein_coding"
    assert reread(adata).n_cells == adata.n_obs
    adata.var["feature_types"] = "Antibody Capture"
    with pytest.raises(UsageProblem, match="var lists no gene: column 'feature_types' has Antibody Capture"):
        reread(adata)

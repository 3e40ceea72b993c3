"""What a run judged on: datasets, and how much of their genes the model knows."""

from __future__ import annotations

from typing import Literal

from zsgate.report.record.entry import Count, Entry, Share


class PretrainingRecord(Entry, frozen=True, kw_only=True):
    """Whether the model saw the dataset in pretraining; what nobody states is unknown.

    Attributes
    ----------
    status
        ``seen``, ``not seen`` or ``unknown``.
    source
        Who says so.
    """

    status: Literal["seen", "not seen", "unknown"] = "unknown"
    source: str = ""


class DatasetRecord(Entry, frozen=True, kw_only=True):
    """The cells of one dataset, and where they are from.

    Attributes
    ----------
    name
        As in test ids.
    n_cells, n_genes, n_cell_types, n_batches, n_donors
        How many there are; null where that is unknown.
    scope
        Whom its verdicts speak for: new donors, or (cells) these donors only.
    source
        Where it is from.
    licence
        Under which terms.
    citation
        Whose work it is.
    notes
        Remarks.
    pretraining
        Whether the model saw it.
    cell_types
        Name of each cell type and its number of cells, in the order of the names.
    """

    name: str
    n_cells: Count | None = None
    n_genes: Count | None = None
    n_cell_types: Count | None = None
    n_batches: Count | None = None
    n_donors: Count | None = None
    scope: Literal["donors", "cells"] = "donors"
    source: str = ""
    licence: str = ""
    citation: str = ""
    notes: tuple[str, ...] = ()
    pretraining: PretrainingRecord = PretrainingRecord()
    cell_types: tuple[tuple[str, int], ...] = ()


class CoverageRecord(Entry, frozen=True, kw_only=True):
    """How much of a dataset a model's vocabulary can read.

    Attributes
    ----------
    model
        Name of the model.
    dataset
        Name of the dataset.
    gene_ids
        What the model was asked by.
    n_genes
        Genes of the dataset.
    n_mapped
        Genes of the dataset that have a token.
    n_vocabulary
        Genes of the vocabulary.
    share_counts
        Mean over cells of the share of a cell's counts in mapped genes.
    share_counts_low
        5 % quantile of it over cells.
    unmapped
        Up to 10 genes without a token, most counts first.
    shared
        Number of genes that share their token with another.
    like_ensembl
        Number of genes whose name is an Ensembl id.
    versioned
        Of those, with a version suffix.
    hint
        What is probably wrong; empty if nothing.
    """

    model: str
    dataset: str
    gene_ids: Literal["symbol", "ensembl"] = "symbol"
    n_genes: Count | None = None
    n_mapped: Count | None = None
    n_vocabulary: Count | None = None
    share_counts: Share | None = None
    share_counts_low: Share | None = None
    unmapped: tuple[str, ...] = ()
    shared: Count | None = None
    like_ensembl: Count | None = None
    versioned: Count | None = None
    hint: str = ""

"""Ways to spoil a user's file, with the words of the refusal."""

from __future__ import annotations

import anndata
import numpy as np


def halves(adata: anndata.AnnData) -> anndata.AnnData:
    adata.X = adata.X * 0.5
    return adata


def negative(adata: anndata.AnnData) -> anndata.AnnData:
    adata.X.data[0] = -3
    return adata


def twice_the_gene(adata: anndata.AnnData) -> anndata.AnnData:
    names = adata.var_names.to_list()
    names[1] = names[0]
    adata.var_names = names
    return adata


def twice_the_cell(adata: anndata.AnnData) -> anndata.AnnData:
    names = adata.obs_names.to_list()
    names[1] = names[0]
    adata.obs_names = names
    return adata


def one_label(adata: anndata.AnnData) -> anndata.AnnData:
    adata.obs["cell_type"] = np.full(adata.n_obs, "all the same")
    return adata


def no_label(adata: anndata.AnnData) -> anndata.AnnData:
    del adata.obs["cell_type"]
    return adata


def no_batch(adata: anndata.AnnData) -> anndata.AnnData:
    del adata.obs["sample"]
    return adata


def donors_of_one_cell(adata: anndata.AnnData) -> anndata.AnnData:
    adata.obs["donor"] = adata.obs_names.to_numpy()
    return adata


def batches_of_two_cells(adata: anndata.AnnData) -> anndata.AnnData:
    adata.obs["sample"] = [f"well {place // 2}" for place in range(adata.n_obs)]
    return adata


FAULTS = {
    "donors of one cell": (
        donors_of_one_cell,
        "column 'donor' for --donor has 240 values in 240 cells, 240 of them in a single cell, so these are no "
        'donors; name the column of donors, or leave it out and speak for the cells: scope = "cells" (--scope=cells)',
    ),
    "batches of two cells": (batches_of_two_cells, "column 'sample' for --batch has 120 values in 240 cells"),
    "fractional counts": (halves, "not integers"),
    "negative counts": (negative, "negative values"),
    "duplicate gene names": (twice_the_gene, "duplicate gene names"),
    "duplicate cell names": (twice_the_cell, "duplicate cell names"),
    "one label": (one_label, "at least two are needed"),
    "no label column": (no_label, "no column 'cell_type' for --label"),
    "no batch column": (no_batch, "no column 'sample' for --batch"),
}

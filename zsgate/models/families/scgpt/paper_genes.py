"""The genes that Kedzierska et al. (2023) show scGPT: the most variable ones of its vocabulary."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem
from zsgate.models.pretrained.paper_input import PaperInput

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

LEAST_COUNTS = 3  # the paper drops genes with fewer
N_GENES = 1200


def choose_genes(dataset: Dataset, known: npt.NDArray[np.bool_], n_genes: int = N_GENES) -> npt.NDArray[np.bool_]:
    """Return the ``n_genes`` most variable of the ``known`` genes with 3 counts or more, bool (genes of the dataset,).

    Flavour ``seurat_v3`` (Stuart et al. 2019), all cells together, as the paper's notebooks call it: on X of the file
    where that is beside the counts, although the flavour is meant for counts.

    Raises
    ------
    UsageProblem
        If scanpy is missing, or its loess cannot be fitted to so few cells.
    """
    try:
        import anndata
        import scanpy
    except ImportError as error:
        msg = "the preset 'paper' selects genes as the paper does: pip install scanpy scikit-misc"
        raise UsageProblem(msg) from error
    papers = PaperInput.of(dataset)
    shown = dataset.counts if papers is None else papers.rows(0, dataset.n_cells)
    candidates = np.flatnonzero(known & (np.asarray(shown.sum(axis=0)).ravel() >= LEAST_COUNTS))
    if len(candidates) <= n_genes:
        chosen = candidates
    else:
        cells = anndata.AnnData(shown[:, candidates])
        try:
            with warnings.catch_warnings():  # scanpy's, on names and on its own future
                warnings.simplefilter("ignore")
                table = scanpy.pp.highly_variable_genes(cells, n_top_genes=n_genes, flavor="seurat_v3", inplace=False)
        except ValueError as error:
            msg = f"the preset 'paper' cannot select genes on {dataset.n_cells} cells of {dataset.name!r}: {error}"
            raise UsageProblem(msg) from error
        chosen = candidates[table["highly_variable"].to_numpy()]
    selected = np.zeros(len(known), dtype=bool)
    selected[chosen] = True
    return selected

"""How scGPT's cells are prepared: by its authors, or by Kedzierska et al. (2023)."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem
from zsgate.models.pretrained.paper_input import PaperInput
from zsgate.models.scgpt.tokens import PAD_VALUE, SPECIAL

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

LEAST_COUNTS = 3  # the paper drops genes with fewer


@dataclass(frozen=True)
class Preset:
    """A way to prepare cells.

    The paper also normalises and takes logarithms before binning, which changes no bin, permutes the genes of each
    cell, which changes nothing for a model without positions, and runs in half precision.

    Attributes
    ----------
    cls_value
        Value of the class token.
    n_hvg
        Highly variable genes kept; None keeps every gene of the vocabulary.
    init
        How the untrained twin's layers are drawn.
    """

    cls_value: int
    n_hvg: int | None
    init: str


PRESETS = {
    "official": Preset(cls_value=PAD_VALUE, n_hvg=None, init="independent"),
    "paper": Preset(cls_value=0, n_hvg=1200, init="identical"),
}


def paper_genes(dataset: Dataset, known: npt.NDArray[np.bool_], n_genes: int) -> npt.NDArray[np.bool_]:
    """Return the ``n_genes`` highly variable genes among the ``known`` with at least 3 counts, bool (n_genes_all,).

    Flavour ``seurat_v3`` (Stuart et al. 2019), all cells together, as the paper's notebooks call it: on X of the file
    where that is beside the counts, although the flavour is meant for counts.
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


def read_vocabulary(path: Path) -> dict[str, int]:
    """Return ``{symbol or special token: id}``; special tokens that the file lacks are appended, as upstream does."""
    try:
        vocabulary = json.loads(path.read_text())
    except ValueError as error:
        msg = f"{path} is not JSON: {error}"
        raise UsageProblem(msg) from error
    if not isinstance(vocabulary, dict) or not all(type(each) is int for each in vocabulary.values()):
        msg = f"{path} is not a vocabulary: a JSON object of gene symbols and their ids is expected"
        raise UsageProblem(msg)
    for token in SPECIAL:
        vocabulary.setdefault(token, len(vocabulary))
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        msg = f"{path} does not number its {len(vocabulary):,} tokens 0, 1, 2, ..."
        raise UsageProblem(msg)
    return vocabulary

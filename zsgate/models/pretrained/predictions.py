"""Predictions: which tokens to hide from a model, and what it says of them as a Reconstruction of genes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.models.reconstruction import Reconstruction, hidden
from zsgate.models.transformer.tokens import Tokens

if TYPE_CHECKING:
    import scipy.sparse as sp


def hide_genes(tokens: Tokens, counts: sp.csr_matrix, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which tokens to hide, bool (n_tokens,): ``share`` of each cell's genes, never special tokens.

    The genes are those that :func:`zsgate.models.reconstruction.hidden` names for the cells, whatever the model.

    Parameters
    ----------
    tokens
        Some cells, as the model reads them.
    counts
        The same cells, all genes of the dataset, (n_cells, n_genes).
    share
        Share to hide, 0 to 1.
    seed
        Another seed hides others.
    """
    genes = tokens.columns >= 0
    chosen = np.zeros(len(tokens.ids), dtype=bool)
    if share:
        expressed = (counts.indptr, counts.indices)
        chosen[genes] = hidden(_gene_offsets(tokens), tokens.columns[genes], share, seed, expressed=expressed)
    return chosen


def reconstruct_bins(
    cells: npt.NDArray[np.intp],
    tokens: Tokens,
    masked: npt.NDArray[np.bool_],
    heads: Mapping[str, npt.NDArray[np.float32]],
) -> Reconstruction:
    """Return what heads say of scGPT's bins, class tokens left out.

    Parameters
    ----------
    cells
        Rows of the dataset, (n_cells,).
    tokens
        Their tokens with the bins that are true.
    masked
        Which tokens the model could not see, (n_tokens,).
    heads
        What each head says, (n_tokens,).
    """
    assert tokens.bins is not None
    assert tokens.ties is not None
    genes = tokens.columns >= 0
    spread = np.maximum(tokens.ties[genes].astype(np.float32), 1)
    return Reconstruction(
        cells=cells,
        offsets=_gene_offsets(tokens),
        genes=tokens.columns[genes],
        target=tokens.bins[genes].astype(np.float32),
        predictions={name: head[genes] for name, head in heads.items()},
        scale="bin",
        masked=masked[genes],
        noise_floor=((spread**2 - 1) / 12).astype(np.float32),  # the variance of a uniform draw among ``spread`` bins
    )


def reconstruct_ranks(
    cells: npt.NDArray[np.intp],
    tokens: Tokens,
    masked: npt.NDArray[np.bool_],
    heads: Mapping[str, npt.NDArray[Any]],
) -> Reconstruction:
    """Return what the masked-gene head says at Geneformer's ranks, special tokens left out.

    Parameters
    ----------
    cells
        Rows of the dataset, (n_cells,).
    tokens
        Their tokens, first ranks first.
    masked
        Which tokens the model could not see, (n_tokens,).
    heads
        ``token``, ``log_probability`` and ``likelier``, each (n_tokens,).
    """
    genes = tokens.columns >= 0
    offsets = _gene_offsets(tokens)
    lengths = np.diff(offsets)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    last = np.repeat(np.maximum(lengths - 1, 1), lengths)
    return Reconstruction(
        cells=cells,
        offsets=offsets,
        genes=tokens.columns[genes],
        target=((np.repeat(lengths - 1, lengths) - place) / last).astype(np.float32),
        predictions={name: head[genes] for name, head in heads.items()},
        scale="rank",
        masked=masked[genes],
        noise_floor=np.zeros(int(offsets[-1]), np.float32),
        tokens=tokens.ids[genes],
    )


def _gene_offsets(tokens: Tokens) -> npt.NDArray[np.int64]:
    """Return where each cell's genes begin and the last one's end, special tokens left out, (n_cells + 1,)."""
    lengths = np.add.reduceat(tokens.columns >= 0, tokens.offsets[:-1], dtype=np.int64)
    return np.concatenate([[0], np.cumsum(lengths)])

"""Predictions for tokens as a Reconstruction of genes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.models.reconstruction import Reconstruction
from zsgate.models.transformer.tokens import Tokens


def bins(
    cells: npt.NDArray[np.intp],
    tokens: Tokens,
    hidden: npt.NDArray[np.bool_],
    heads: dict[str, npt.NDArray[np.float32]],
) -> Reconstruction:
    """Return what heads say of scGPT's bins, class tokens left out."""
    assert tokens.bins is not None
    assert tokens.ties is not None
    genes = tokens.columns >= 0
    spread = np.maximum(tokens.ties[genes].astype(np.float32), 1)
    return Reconstruction(
        cells=cells,
        offsets=tokens.offsets - np.arange(len(tokens.offsets)),
        genes=tokens.columns[genes],
        target=tokens.bins[genes].astype(np.float32),
        predictions={name: head[genes] for name, head in heads.items()},
        scale="bin",
        masked=hidden[genes],
        noise_floor=((spread**2 - 1) / 12).astype(np.float32),  # the variance of a uniform draw among ``spread`` bins
    )


def ranks(
    cells: npt.NDArray[np.intp],
    tokens: Tokens,
    hidden: npt.NDArray[np.bool_],
    heads: dict[str, npt.NDArray[Any]],
) -> Reconstruction:
    """Return what the masked-gene head says at Geneformer's ranks, special tokens left out."""
    genes = tokens.columns >= 0
    lengths = np.add.reduceat(genes, tokens.offsets[:-1], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    last = np.repeat(np.maximum(lengths - 1, 1), lengths)
    return Reconstruction(
        cells=cells,
        offsets=offsets,
        genes=tokens.columns[genes],
        target=((np.repeat(lengths - 1, lengths) - place) / last).astype(np.float32),
        predictions={name: head[genes] for name, head in heads.items()},
        scale="rank",
        masked=hidden[genes],
        noise_floor=np.zeros(int(offsets[-1]), np.float32),
        tokens=tokens.ids[genes],
    )

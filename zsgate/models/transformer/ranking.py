"""Compiled loops that order a cell's genes by count over median, as Geneformer and its kin read them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zsgate.models.transformer.kernels import Floats, Ids, Integers
from zsgate.system.compiled import compiled

Doubles = npt.NDArray[np.float64]

TOKEN_BITS = 16  # a token fits in these low bits of a packed sort key
TOKEN_MASK = (1 << TOKEN_BITS) - 1


@compiled
def pack_ranks(ids: Ids, counts: Floats, medians: Doubles) -> Integers:
    """Return sort keys: the leading bits of count / median, then the token, smaller tokens first."""
    scaled = np.empty(len(ids))
    for entry in range(len(ids)):
        scaled[entry] = counts[entry] / medians[ids[entry]]
    keys = scaled.view(np.int64)  # the bits of positive doubles sort as the doubles do
    for entry in range(len(ids)):
        keys[entry] = (keys[entry] & ~TOKEN_MASK) | (TOKEN_MASK - ids[entry])
    return keys


@compiled
def unpack_ranks(
    offsets: Integers, ids: Ids, counts: Floats, keys: Integers, medians: Doubles, limit: int
) -> tuple[Integers, Ids]:
    """Return (offsets, tokens): each cell's first ``limit`` by falling count / median, exact ties by token.

    ``keys`` are sorted upwards in each cell; what the token displaced in a key is settled by insertion.
    """
    ranked = np.empty(len(ids), np.int32)
    scaled = np.empty(len(medians))
    kept_offsets = np.zeros(len(offsets), np.int64)
    for cell in range(len(offsets) - 1):
        start, stop, kept = offsets[cell], offsets[cell + 1], kept_offsets[cell]
        for entry in range(start, stop):
            scaled[ids[entry]] = counts[entry] / medians[ids[entry]]
        for place in range(stop - start):
            token = TOKEN_MASK - (keys[stop - 1 - place] & TOKEN_MASK)
            spot = start + place
            while spot > start and (
                scaled[ranked[spot - 1]] < scaled[token]
                or (scaled[ranked[spot - 1]] == scaled[token] and ranked[spot - 1] > token)
            ):
                ranked[spot] = ranked[spot - 1]
                spot -= 1
            ranked[spot] = token
        length = min(limit, stop - start)
        ranked[kept : kept + length] = ranked[start : start + length]  # kept <= start: nothing unread is lost
        kept_offsets[cell + 1] = kept + length
    return kept_offsets, ranked[: kept_offsets[-1]]

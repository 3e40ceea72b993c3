"""Ranks of genes hold vocabularies of two species."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.models.transformer.ranking import TOKEN_BITS, pack_ranks, unpack_ranks


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_ranks_are_exact_up_to_the_last_token(seed: int, n: int) -> None:
    """Falling count over median, ties by token, with tokens up to 65,535 and values apart in their last bits only."""
    draws = np.random.default_rng(seed)
    ids = draws.choice(1 << TOKEN_BITS, n, replace=False).astype(np.int32)
    ids[0] = (1 << TOKEN_BITS) - 1 if (1 << TOKEN_BITS) - 1 not in ids else ids[0]
    counts = draws.integers(1, 4, n).astype(np.float32)
    medians = np.ones(1 << TOKEN_BITS)
    medians[ids] = 1 + draws.integers(0, 3, n) * 2.0**-52
    keys = np.sort(pack_ranks(ids, counts, medians))
    offsets = np.array([0, n])
    kept, ranked = unpack_ranks(offsets, ids, counts, keys, medians, n)
    assert kept.tolist() == [0, n]
    assert ranked.tolist() == ids[np.lexsort((ids, -(counts / medians[ids])))].tolist()

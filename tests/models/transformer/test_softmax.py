"""The compiled softmax of bfloat16."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.models.transformer.softmax import softmax_in_place


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 300), st.floats(0.01, 3.0), st.integers(0, 1000))
def test_softmax_is_rounded_once(n_rows: int, n: int, factor: float, seed: int) -> None:
    """The compiled softmax of bf16 rows is the float64 one, rounded: half a unit in the last place, and 1e-5."""
    scores = torch.randn(n_rows, n, generator=torch.Generator().manual_seed(seed)).mul_(20).bfloat16()
    wanted = (scores.double() * factor).softmax(-1)
    softmax_in_place(scores, factor)
    torch.testing.assert_close(scores.double(), wanted, rtol=2**-8 + 1e-5, atol=1e-35)


def test_softmax_of_great_scores() -> None:
    """What overflows an exponential does not matter: only differences count, and equal scores share."""
    for top in (-1e4, 1e4, 3e37):
        scores = torch.tensor([[top, top, -3e37, top]], dtype=torch.bfloat16)
        softmax_in_place(scores, 0.125)
        torch.testing.assert_close(scores.float(), torch.tensor([[1, 1, 0, 1]]) / 3, rtol=4e-3, atol=1e-30)

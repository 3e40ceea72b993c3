"""One kernel for a sum and its layer normalisation on a GPU, where torch's two take longer than the products around."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 8  # a program


@triton.jit  # type: ignore[untyped-decorator]
def _normalise(product, x, weight, bias, out, n, d, epsilon, WIDTH: tl.constexpr, ROWS: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, WIDTH)[None, :]
    within = column < d
    there = within & (row < n)
    place = row * d + column
    total = tl.load(product + place, there, 0).to(tl.float32) + tl.load(x + place, there, 0).to(tl.float32)
    centred = tl.where(within, total - (tl.sum(total, 1) / d)[:, None], 0)
    scale = tl.rsqrt(tl.sum(centred * centred, 1) / d + epsilon)
    weights, biases = tl.load(weight + column, within, 0), tl.load(bias + column, within, 0)
    normed = centred * scale[:, None] * weights.to(tl.float32) + biases.to(tl.float32)
    tl.store(out + place, normed.to(out.dtype.element_ty), there)


def added_norm(product: Tensor, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Return the layer normalisation of ``product + x`` in the number format of ``weight``, computed in float32.

    Parameters
    ----------
    product, x
        Contiguous, shape (n, d).
    weight, bias
        Shape (d,).
    epsilon
        Added to the variance.
    """
    n, d = x.shape
    out = torch.empty((n, d), dtype=weight.dtype, device=x.device)
    if n:
        programs = (triton.cdiv(n, ROWS),)
        _normalise[programs](product, x, weight, bias, out, n, d, epsilon, triton.next_power_of_2(d), ROWS)
    return out

"""Attention over packed runs: each token attends to its own run, nothing is padded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pkgutil import resolve_name
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.models.transformer.softmax import softmax_in_place

HALF = (torch.bfloat16, torch.float16)
BLOCK = 2**20  # scores at a time on a CPU: 2 MiB


@dataclass(frozen=True)
class Runs:
    """Where packed runs of tokens begin and end.

    Attributes
    ----------
    lengths
        Tokens of each run.
    device
        Where the tokens are.
    """

    lengths: tuple[int, ...]
    device: torch.device

    @cached_property
    def cumulated(self) -> Tensor:
        """Ends of the runs after a leading 0, int32 (n_runs + 1,)."""
        ends = torch.tensor((0, *self.lengths)).cumsum(0, dtype=torch.int32)
        return ends.to(self.device, non_blocking=True)

    @property
    def starts(self) -> Tensor:
        """Position of the first token of each run, (n_runs,)."""
        return self.cumulated[:-1].long()

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest run."""
        return max(self.lengths)

    @cached_property
    def firsts(self) -> Runs:
        """Runs of one token each, as many as there are runs."""
        return Runs((1,) * len(self.lengths), self.device)


def attend(query: Tensor, key: Tensor, value: Tensor, queries: Runs, keys: Runs) -> Tensor:
    """Return softmax(query keyᵀ / √d) value within each run (Vaswani et al. 2017).

    Parameters
    ----------
    query, key, value
        Shapes (n_queries, n_heads, d), (n_keys, n_heads, d), (n_keys, n_heads, d).
    queries, keys
        Runs of both, equally many.

    Returns
    -------
    Tensor
        Shape (n_queries, n_heads, d).
    """
    packed = _packed_kernel() if _suits_packed_kernel(query) else None
    if packed is not None:
        return packed(query, key, value, queries, keys)
    parts = zip(_cut(query, queries), _cut(key, keys), _cut(value, keys), strict=True)
    runs = [_within(*run) for run in parts]
    return runs[0] if len(runs) == 1 else torch.cat(runs)


def attend_with_few(query: Tensor, x: Tensor, weight: Tensor, bias: Tensor, runs: Runs) -> Tensor:
    """Return the same for one query a run, keys and values being ``x weightᵀ + bias``.

    On a CPU no key and no value is made: q · (Wx + b) is (Wᵀq) · x but for what all tokens share, which softmax
    drops, and Σ p (Wx + b) is W Σ p x + b. On a GPU, where launches cost more, they are.

    Parameters
    ----------
    query
        Shape (n_runs, n_heads, d_head).
    x
        The tokens, (n_tokens, d).
    weight, bias
        Shapes (2 d, d) and (2 d,): keys first, then values, heads within.
    runs
        Runs of the tokens.
    """
    n_heads, d_head = query.shape[1:]
    if x.is_cuda:
        made = functional.linear(x, weight, bias).view(-1, 2, n_heads, d_head)
        return attend(query, made[:, 0], made[:, 1], runs.firsts, runs)
    keys, values = weight.view(2, n_heads, d_head, -1)
    asked = torch.einsum("nhe,hed->nhd", query, keys) * d_head**-0.5
    parts = zip(asked, _cut(x, runs), strict=True)
    means = torch.stack([(one @ part.T).softmax(-1) @ part for one, part in parts])
    mixed: Tensor = torch.einsum("nhd,hed->nhe", means, values) + bias.view(2, n_heads, d_head)[1]
    return mixed


def _within(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    if query.dtype == torch.bfloat16 and query.device.type == "cpu":
        return _in_blocks(query, key, value)
    heads_first = (part.transpose(0, 1)[None] for part in (query, key, value))
    mixed: Tensor = functional.scaled_dot_product_attention(*heads_first)  # type: ignore[arg-type]
    return mixed[0].transpose(0, 1)


def _in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the same as plain products over blocks of queries, whose scores stay in the cache.

    On CPUs torch's fused kernel takes twice as long in bfloat16, no less than in float32.
    """
    query, key, value = (part.transpose(0, 1).contiguous() for part in (query, key, value))
    n_heads, n_queries, d = query.shape
    mixed, n_keys = torch.empty_like(query), key.shape[1]
    n_blocks = min(n_queries, -(-n_heads * n_queries * n_keys // BLOCK))
    size = -(-n_queries // n_blocks)
    room = query.new_empty(n_heads * size * n_keys)
    for part, out in zip(torch.split(query, size, 1), torch.split(mixed, size, 1), strict=True):
        scores = room[: n_heads * part.shape[1] * n_keys].view(n_heads, -1, n_keys)
        torch.bmm(part, key.transpose(1, 2), out=scores)
        softmax_in_place(scores, d**-0.5)
        out.copy_(torch.bmm(scores, value))
    return mixed.transpose(0, 1)


def _cut(packed: Tensor, runs: Runs) -> tuple[Tensor, ...]:
    return torch.split_with_sizes(packed, list(runs.lengths))


Kernel = Callable[[Tensor, Tensor, Tensor, Runs, Runs], Tensor]


def _suits_packed_kernel(query: Tensor) -> bool:
    """Return whether the kernels for packed runs take it: 16 bits, heads of whole octets, Ampere or newer."""
    if not query.is_cuda or query.dtype not in HALF or query.shape[-1] % 8:
        return False
    return torch.cuda.get_device_capability(query.device) >= (8, 0)


@cache
def _packed_kernel() -> Kernel | None:
    """Return the best kernel for packed runs on CUDA: flash-attn where installed and working, else torch's own."""
    flash_attn_varlen_func = None
    with suppress(ImportError, AttributeError, OSError):  # often built for another torch: then it does not load
        flash_attn_varlen_func = resolve_name("flash_attn:flash_attn_varlen_func")
    if flash_attn_varlen_func is not None:

        def flash(query: Tensor, key: Tensor, value: Tensor, queries: Runs, keys: Runs) -> Tensor:
            ends = (queries.cumulated, keys.cumulated, queries.longest, keys.longest)
            return cast("Tensor", flash_attn_varlen_func(query, key, value, *ends))

        return flash
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:  # torch < 2.10: the loop over runs does
        return None

    def varlen(query: Tensor, key: Tensor, value: Tensor, queries: Runs, keys: Runs) -> Tensor:
        ends = (queries.cumulated, keys.cumulated, queries.longest, keys.longest)
        return cast("Tensor", varlen_attn(query, key, value, *ends))

    return varlen

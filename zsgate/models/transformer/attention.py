"""Attention over packed runs: each token attends to its own run, nothing is padded.

Shapes in comments: N tokens of all cells together, B cells, T tokens of each, H heads, D dimensions, E = D / H.
"""

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
from torch.nn.attention import SDPBackend, sdpa_kernel

from zsgate.models.transformer.softmax import softmax_in_place

HALF = (torch.bfloat16, torch.float16)
LONG = 1024  # tokens of a run that cuDNN is prepared for
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
    def places(self) -> Tensor:
        """Place of each token in its run, from 0 on, int64 (n_tokens,)."""
        n_tokens = sum(self.lengths)
        lengths = torch.tensor(self.lengths, device=self.device)
        starts = self.starts.repeat_interleave(lengths, output_size=n_tokens)
        return torch.arange(n_tokens, device=self.device) - starts

    @cached_property
    def alike(self) -> bool:
        """Whether all runs have as many tokens."""
        return len(set(self.lengths)) == 1

    @cached_property
    def firsts(self) -> Runs:
        """Runs of one token each, as many as there are runs."""
        return Runs((1,) * len(self.lengths), self.device)


def means(x: Tensor, runs: Runs, skip: int = 0) -> Tensor:
    """Return the mean of x (N, D) over the tokens of each run, (B, D), ``skip`` tokens at both ends left out."""
    if runs.alike:
        of_run = torch.unflatten(x, 0, (len(runs.lengths), -1))  # (B, T, D)
        return of_run[:, skip : of_run.shape[1] - skip].mean(1)
    lengths = torch.tensor(runs.lengths, device=x.device)
    if skip:
        left = lengths.repeat_interleave(lengths, output_size=len(x)) - runs.places  # tokens to the run's end
        x = x[(runs.places >= skip) & (left > skip)]
    return torch.segment_reduce(x, "mean", lengths=lengths - 2 * skip, axis=0)


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
    if packed is not None and _suits_cudnn(query, queries, keys):
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            batch = (torch.unflatten(part, 0, (len(keys.lengths), -1)) for part in (query, key, value))
            return _within(*batch).flatten(0, 1)
    if packed is not None:
        return packed(query, key, value, queries, keys)
    if queries.alike and keys.alike:
        batch = (torch.unflatten(part, 0, (len(keys.lengths), -1)) for part in (query, key, value))
        return _within(*batch).flatten(0, 1)  # (B, T, H, E) -> (N, H, E)
    parts = zip(_cut(query, queries), _cut(key, keys), _cut(value, keys), strict=True)
    return torch.cat([_within(*(part[None] for part in run))[0] for run in parts])


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
        made = functional.linear(x, weight, bias).view(-1, 2, n_heads, d_head)  # (N, 2, H, E)
        return attend(query, made[:, 0], made[:, 1], runs.firsts, runs)
    keys, values = weight.view(2, n_heads, d_head, -1)  # each (H, E, D)
    asked = torch.einsum("bhe,hed->bhd", query, keys) * d_head**-0.5  # (B, H, D)
    parts = zip(asked, _cut(x, runs), strict=True)
    mixed_x = torch.stack([(one @ part.T).softmax(-1) @ part for one, part in parts])  # (B, H, D)
    mixed: Tensor = torch.einsum("bhd,hed->bhe", mixed_x, values) + bias.view(2, n_heads, d_head)[1]  # (B, H, E)
    return mixed


def _within(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the attention within runs of one length, (B, T, H, E) of tensors of that shape."""
    if query.dtype == torch.bfloat16 and query.device.type == "cpu":
        return _in_blocks(query, key, value)
    heads_first = (part.transpose(1, 2) for part in (query, key, value))  # each (B, H, T, E)
    mixed: Tensor = functional.scaled_dot_product_attention(*heads_first)  # type: ignore[arg-type]
    return mixed.transpose(1, 2)  # (B, T, H, E)


def _in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the same as plain products over blocks of queries, whose scores stay in the cache.

    On CPUs torch's fused kernel takes twice as long in bfloat16, no less than in float32.
    """
    n_runs, n_queries, n_heads, d = query.shape
    query, key, value = (part.transpose(1, 2).flatten(0, 1).contiguous() for part in (query, key, value))  # (B H, T, E)
    mixed, n_keys, n_rows = torch.empty_like(query), key.shape[1], n_runs * n_heads
    n_blocks = min(n_queries, -(-n_rows * n_queries * n_keys // BLOCK))
    size = -(-n_queries // n_blocks)
    room = query.new_empty(n_rows * size * n_keys)
    for part, out in zip(torch.split(query, size, 1), torch.split(mixed, size, 1), strict=True):
        scores = room[: n_rows * part.shape[1] * n_keys].view(n_rows, -1, n_keys)  # (B H, T of the block, T)
        torch.bmm(part, key.transpose(1, 2), out=scores)
        softmax_in_place(scores, d**-0.5)
        out.copy_(torch.bmm(scores, value))
    return torch.unflatten(mixed, 0, (n_runs, n_heads)).transpose(1, 2)  # (B, T, H, E)


def _cut(packed: Tensor, runs: Runs) -> tuple[Tensor, ...]:
    return torch.split_with_sizes(packed, list(runs.lengths))


Kernel = Callable[[Tensor, Tensor, Tensor, Runs, Runs], Tensor]


def _suits_packed_kernel(query: Tensor) -> bool:
    """Return whether the kernels for packed runs take it: 16 bits, heads of whole octets, Ampere or newer."""
    if not query.is_cuda or query.dtype not in HALF or query.shape[-1] % 8:
        return False
    return torch.cuda.get_device_capability(query.device) >= (8, 0)


def _suits_cudnn(query: Tensor, queries: Runs, keys: Runs) -> bool:
    """Return whether cuDNN's kernel for runs of one length takes it, 1.4 times as fast as packed ones on an H200.

    It prepares itself for every length anew, which pays for long runs only: those cut off at a model's limit, of which
    there are many.
    """
    if queries is not keys or not keys.alike or keys.longest < LONG:
        return False
    return torch.backends.cudnn.enabled and torch.cuda.get_device_capability(query.device) == (9, 0)


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

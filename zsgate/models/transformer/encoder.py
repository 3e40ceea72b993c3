"""The encoder that all networks share: post-norm layers over packed runs of tokens.

Shapes in comments: N tokens of all cells together, B cells, H heads, D dimensions, E = D / H of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Self, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.models.transformer.attention import Runs, attend, attend_with_few

Part = TypeVar("Part")
Activation = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Linear:
    """A linear layer; it computes in the number format of its weight, whatever the input's is.

    Attributes
    ----------
    weight
        Shape (n_out, n_in), in rows or as oneDNN packs it.
    bias
        Shape (n_out,).
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return x weightᵀ + bias, (..., n_out), of x (..., n_in)."""
        x = x.to(self.weight.dtype)
        if self.weight.is_mkldnn:
            product: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
            return product
        return functional.linear(x, self.weight, self.bias)

    def rows(self, start: int, stop: int) -> Self:
        """Return the part of the product that outputs ``start`` to ``stop``, its weight in rows."""
        weight = self.weight.to_dense() if self.weight.is_mkldnn else self.weight
        return replace(self, weight=weight[start:stop], bias=self.bias[start:stop])

    def pack(self) -> Self:
        """Return the same product with its weight laid out once as oneDNN reads it, where it can be.

        On a CPU that is 1.1 (bfloat16) to 1.2 (float32) times as fast, and 1.7 with CELLama's small batches in float32.
        torch.compile uses the same two operators.
        """
        if not _can_pack(self.weight):
            return self
        return replace(self, weight=torch.ops.mkldnn._reorder_linear_weight(self.weight, None))


def _can_pack(weight: Tensor) -> bool:
    built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    known = built and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    if not known or weight.device.type != "cpu":
        return False
    half = weight.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return half or weight.dtype == torch.float32


@dataclass(frozen=True)
class Norm:
    """Layer normalisation in the number format of its weight; weight and bias have shape (D,)."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        """Return x (..., D) normalised along its last axis."""
        return functional.layer_norm(x.to(self.weight.dtype), self.weight.shape, self.weight, self.bias, self.epsilon)

    def of_sum(self, product: Tensor, x: Tensor) -> Tensor:
        """Return the normalised sum of a fresh ``product``, which may be changed, and ``x``, both (N, D)."""
        fused = _added_norm() if x.is_cuda else None
        if fused is not None:
            return fused(product, x.contiguous(), self.weight, self.bias, self.epsilon)
        return self(_add(product, x))


@dataclass(frozen=True)
class Layer:
    """One layer: attention, add and norm, feed-forward, add and norm.

    Attributes
    ----------
    project
        Query, key and value in one product, (3 D, D).
    output
        What is made of the mixed values, (D, D).
    norm_attention, norm
        Norms behind attention and behind the feed-forward part. Where they are in float32 and the products are not,
        the sums between them are in float32 too.
    up, down
        The feed-forward part, (F, D) and (D, F).
    activation
        Between ``up`` and ``down``; it may change its input.
    """

    project: Linear
    output: Linear
    norm_attention: Norm
    up: Linear
    down: Linear
    norm: Norm
    activation: Activation = torch.relu_

    def __call__(self, x: Tensor, runs: Runs, heads: int, projected: Tensor | None = None) -> Tensor:
        """Return the layer's output for every token, (N, D); ``projected`` is ``project(x)`` if known."""
        projected = self.project(x) if projected is None else projected  # (N, 3 D)
        query, key, value = torch.unflatten(projected, -1, (3, heads, -1)).unbind(1)  # each (N, H, E)
        return self._finish(x, attend(query, key, value, runs, runs))

    def of_first_tokens(self, x: Tensor, runs: Runs, heads: int) -> Tensor:
        """Return the layer's output for the first token of each run, (B, D), at that cost only."""
        first, d = x[runs.starts], x.shape[1]  # (B, D)
        ask, tell = self.project.rows(0, d), self.project.rows(d, 3 * d)
        query = torch.unflatten(ask(first), -1, (heads, -1))  # (B, H, E)
        return self._finish(first, attend_with_few(query, x, tell.weight, tell.bias, runs))

    def pack(self) -> Self:
        """Return the layer with its weights packed for the CPU, where they can be."""
        names = ("project", "output", "up", "down")
        return replace(self, **{name: getattr(self, name).pack() for name in names})

    def _finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = self.norm_attention.of_sum(self.output(mixed.flatten(1)), x)  # (N, D)
        return self.norm.of_sum(self.down(self.activation(self.up(x))), x)  # (N, D)


@cache
def _added_norm() -> Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor] | None:
    """Return the kernel of :mod:`added_norm` where Triton is at hand and can build it, as without a C compiler not."""
    try:
        from zsgate.models.transformer.added_norm import added_norm

        two = torch.ones((2, 8), device="cuda")
        added_norm(two, two, two[0], two[0], 1e-5)
    except Exception:  # the boundary to compilers: whatever fails there, torch's own two kernels do
        return None
    return added_norm


def _add(product: Tensor, x: Tensor) -> Tensor:
    """Return the sum of a fresh ``product``, which may be changed, and ``x``, in the wider format of the two."""
    return product.add_(x) if product.dtype == x.dtype else product + x


@dataclass(frozen=True)
class Encoder:
    """A stack of layers with ``heads`` attention heads each.

    Where the first layer's ``project(x)`` is known, it is given as ``projected``.
    """

    layers: tuple[Layer, ...]
    heads: int

    def __call__(self, x: Tensor, runs: Runs, projected: Tensor | None = None) -> Tensor:
        """Return the last layer's output for every token, (N, D)."""
        for layer in self.layers:
            x, projected = layer(x, runs, self.heads, projected), None
        return x

    def of_first_tokens(self, x: Tensor, runs: Runs, projected: Tensor | None = None) -> Tensor:
        """Return the last layer's output for the first token of each run, (B, D)."""
        x = self.first_layers(len(self.layers) - 1)(x, runs, projected)
        return self.layers[-1].of_first_tokens(x, runs, self.heads)

    def first_layers(self, n: int) -> Self:
        """Return the encoder cut off behind its first ``n`` layers."""
        return replace(self, layers=self.layers[:n])

    def to(self, device: torch.device, dtype: torch.dtype, *, norms: torch.dtype | None = None) -> Self:
        """Return the encoder with its tensors on ``device`` in ``dtype``, laid out for the CPU where they can be.

        Parameters
        ----------
        device, dtype
            Where, and in which number format.
        norms
            Number format of the norms; None is ``dtype``.
        """
        layers = [move(layer, device, dtype) for layer in self.layers]
        if norms is not None:
            pairs = [(move(each.norm_attention, device, norms), move(each.norm, device, norms)) for each in self.layers]
            layers = [
                replace(layer, norm_attention=attention, norm=norm)
                for layer, (attention, norm) in zip(layers, pairs, strict=True)
            ]
        packed = [layer.pack() for layer in layers]
        packed[-1] = replace(packed[-1], project=layers[-1].project)  # of_first_tokens reads it in rows
        return replace(self, layers=tuple(packed))


def move(part: Part, device: torch.device, dtype: torch.dtype) -> Part:
    """Return a dataclass of tensors, however nested, with the tensors on ``device`` in ``dtype``."""
    changed: dict[str, object] = {}
    for each in fields(part):  # type: ignore[arg-type]
        value = getattr(part, each.name)
        if isinstance(value, Tensor):
            changed[each.name] = value.to(device, dtype)
        elif hasattr(value, "__dataclass_fields__"):
            changed[each.name] = move(value, device, dtype)
    return replace(part, **changed)  # type: ignore[type-var]

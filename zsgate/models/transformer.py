"""The encoder both models share: post-norm layers with ReLU, over packed runs of tokens."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.models.attention import Runs, attend

Part = TypeVar("Part")


@dataclass(frozen=True)
class Linear:
    """Weight (n_out, n_in) and bias (n_out,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return x weightᵀ + bias."""
        return functional.linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: weight and bias (d,)."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        """Return x normalised along its last axis."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True)
class Layer:
    """One layer: attention, add and norm, feed-forward, add and norm.

    ``projection`` yields query, key and value, in blocks of d.
    """

    projection: Linear
    output: Linear
    norm_attention: Norm
    up: Linear
    down: Linear
    norm: Norm

    def __call__(self, x: Tensor, runs: Runs, heads: int) -> Tensor:
        """Return the layer's output for every token, (n_tokens, d)."""
        query, key, value = torch.unflatten(self.projection(x), -1, (3, heads, -1)).unbind(1)
        mixed = attend(query, key, value, runs, runs)
        return self._finish(x, mixed)

    def of_first_tokens(self, x: Tensor, runs: Runs, heads: int) -> Tensor:
        """Return the layer's output for the first token of each run, (n_runs, d), at that cost only."""
        d = x.shape[-1]
        first = x[runs.starts]
        query = functional.linear(first, self.projection.weight[:d], self.projection.bias[:d])
        both = functional.linear(x, self.projection.weight[d:], self.projection.bias[d:])
        key, value = torch.unflatten(both, -1, (2, heads, -1)).unbind(1)
        mixed = attend(torch.unflatten(query, -1, (heads, -1)), key, value, runs.firsts, runs)
        return self._finish(first, mixed)

    def _finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = self.norm_attention(self.output(mixed.flatten(1)).add_(x))
        return self.norm(self.down(self.up(x).relu_()).add_(x))


@dataclass(frozen=True)
class Encoder:
    """A stack of layers with ``heads`` attention heads each."""

    layers: tuple[Layer, ...]
    heads: int

    def __call__(self, x: Tensor, runs: Runs) -> Tensor:
        """Return the last layer's output for every token, (n_tokens, d)."""
        for layer in self.layers:
            x = layer(x, runs, self.heads)
        return x

    def of_first_tokens(self, x: Tensor, runs: Runs) -> Tensor:
        """Return the last layer's output for the first token of each run, (n_runs, d)."""
        for layer in self.layers[:-1]:
            x = layer(x, runs, self.heads)
        return self.layers[-1].of_first_tokens(x, runs, self.heads)

    def first_layers(self, n: int) -> Self:
        """Return the encoder cut off behind its first ``n`` layers."""
        return replace(self, layers=self.layers[:n])

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the encoder with its tensors on ``device`` in ``dtype``."""
        return replace(self, layers=tuple(moved(layer, device, dtype) for layer in self.layers))


def moved(part: Part, device: torch.device, dtype: torch.dtype) -> Part:
    """Return a dataclass of tensors, however nested, with the tensors on ``device`` in ``dtype``."""
    changed: dict[str, object] = {}
    for each in fields(part):  # type: ignore[arg-type]
        value = getattr(part, each.name)
        if isinstance(value, Tensor):
            changed[each.name] = value.to(device, dtype)
        elif hasattr(value, "__dataclass_fields__"):
            changed[each.name] = moved(value, device, dtype)
    return replace(part, **changed)  # type: ignore[type-var]

"""A layer of a Performer, whose attention takes time linear in the number of places.

Attention is FAVOR+ of Choromanski et al. 2021 (arXiv:2009.14794), stabilised by maxima as the authors of the paper
and performer-pytorch (MIT) do; the layer is pre-norm. Shapes in comments: C places of a chunk, D dimensions, H heads, E
dimensions of a head, M random features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.models.transformer.encoder import Linear, Norm

HEADS, D_HEAD = 10, 64  # scBERT's
FLOOR = 1e-4  # what FAVOR+ adds to each feature


@dataclass(frozen=True)
class Context:
    """What all keys and values of a cell come to, so far: any query asks nothing else.

    Attributes
    ----------
    mixed
        Sum over places of exp(features - ``most``) outer (value, 1), (H, M, E + 1).
    values
        Sum of (value, 1), (H, 1, E + 1).
    most
        Largest projection so far, over heads, places and features.
    """

    mixed: Tensor
    values: Tensor
    most: Tensor

    @property
    def whole(self) -> Tensor:
        """The sum with the floor of each feature, (H, M, E + 1)."""
        return self.mixed + FLOOR * self.values


@dataclass(frozen=True)
class PerformerLayer:
    """One layer: norm, linear attention, add; norm, feed-forward, add.

    Attributes
    ----------
    norm, norm_between
        In front of attention, and of the feed-forward part.
    query, tell
        Products for queries, (H E, D), and for keys and values, (2 H E, D), without biases.
    features
        Random directions over the fourth root of E, (M, E).
    output, up, down
        What is made of the mixed values, and the feed-forward part.
    """

    norm: Norm
    query: Tensor
    tell: Tensor
    features: Tensor
    output: Linear
    norm_between: Norm
    up: Linear
    down: Linear

    def gather(self, x: Tensor, before: Context | None) -> Context:
        """Return the context with the keys and values of the places ``x`` (C, D).

        Sums are kept relative to the largest projection so far and rescaled when a larger one comes.
        """
        key, value = functional.linear(self.norm(x), self.tell).view(len(x), 2, HEADS, D_HEAD).unbind(1)  # (C, H, E)
        projected, half = self._project(key)
        most = projected.max()
        if before is not None:
            most = torch.maximum(most, before.most)
        weights = (projected - half - most).exp_()  # (H, C, M)
        told = functional.pad(value.transpose(0, 1), (0, 1), value=1.0)  # (H, C, E + 1)
        mixed, values = weights.transpose(1, 2) @ told, told.sum(1, keepdim=True)
        if before is None:
            return Context(mixed, values, most)
        return Context(before.mixed * (before.most - most).exp() + mixed, before.values + values, most)

    def __call__(self, x: Tensor, whole: Tensor) -> Tensor:
        """Return the layer's output for the places ``x`` (C, D), which ask the ``whole`` context of their cell."""
        query = functional.linear(self.norm(x), self.query).view(len(x), HEADS, D_HEAD)
        projected, half = self._project(query)  # (H, C, M)
        weights = (projected - half - projected.amax(-1, keepdim=True)).exp_().add_(FLOOR)
        mixed = weights @ whole  # (H, C, E + 1)
        mixed = (mixed[..., :-1] / mixed[..., -1:]).transpose(0, 1).flatten(1)  # (C, H E)
        x = x + self.output(mixed)
        return x + self.down(functional.gelu(self.up(self.norm_between(x))))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the projections of x (C, H, E) on the features, (H, C, M), and half its scaled squares, (H, C, 1)."""
        x = x.transpose(0, 1)
        return x @ self.features.T, x.square().sum(-1, keepdim=True) * (0.5 * D_HEAD**-0.5)

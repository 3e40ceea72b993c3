"""scBERT's network: a Performer, whose attention is linear in the number of genes, over all genes of the model's list.

Yang et al. 2022, doi:10.1038/s42256-022-00534-z; written anew after the papers. Names of the
tensors are those of scBERT's checkpoint. Shapes in comments: N places of a cell, B cells, D dimensions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.errors import UsageProblem
from zsgate.models.families.scbert.performer import D_HEAD, HEADS, Context, PerformerLayer
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.encoder import Norm, move
from zsgate.models.transformer.state import Shapes, State, linear_shapes, make_linear, make_norm, norm_shapes

N_CLASSES = 7  # expression 0 to 5, and what hides a gene in pretraining
EPSILON = 1e-5
CHUNK = 128  # places at a time on a CPU: their features stay in the cache
PLACES = "pos_emb.emb.weight"
LAYER = re.compile(r"performer\.net\.layers\.(\d+)\.0\.norm\.weight$")
KNOWN_EXTRAS = ("to_out.", "performer.calls_since_last_redraw")


@dataclass(frozen=True)
class ScBERTShape:
    """Sizes of the network, read from its tensors: upstream keeps no file of them."""

    dim: int
    depth: int
    hidden: int
    n_features: int
    n_places: int

    @classmethod
    def of(cls, state: Mapping[str, Tensor], *, where: Path) -> Self:
        """Return the shape of the network that ``state`` is of.

        Raises
        ------
        UsageProblem
            If a tensor that tells a size is missing, or the sizes are of no such network.
        """
        layers = [int(found[1]) for name in state if (found := LAYER.match(name))]
        first = "performer.net.layers.0"
        try:
            n_places, dim = state[PLACES].shape
            hidden, _ = state[f"{first}.1.fn.fn.w1.weight"].shape
            features, _ = state[f"{first}.0.fn.fast_attention.projection_matrix"].shape
        except (KeyError, ValueError) as error:
            msg = f"{where} is not that of an scBERT checkpoint: no usable tensor for {error}"
            raise UsageProblem(msg) from error
        return cls(dim, len(layers), hidden, features, n_places)

    def tensors(self) -> Shapes:
        """Return name and shape of every tensor the network uses, but for the places."""
        d, wide = self.dim, HEADS * D_HEAD
        shapes: Shapes = {"token_emb.weight": (N_CLASSES, d)}
        for number in range(self.depth):
            layer = f"performer.net.layers.{number}"
            shapes |= norm_shapes(f"{layer}.0.norm", d)
            shapes[f"{layer}.0.fn.fast_attention.projection_matrix"] = (self.n_features, D_HEAD)
            for part in ("to_q", "to_k", "to_v"):
                shapes[f"{layer}.0.fn.{part}.weight"] = (wide, d)
            shapes |= linear_shapes(f"{layer}.0.fn.to_out", d, wide) | norm_shapes(f"{layer}.1.norm", d)
            shapes |= linear_shapes(f"{layer}.1.fn.fn.w1", self.hidden, d)
            shapes |= linear_shapes(f"{layer}.1.fn.fn.w2", d, self.hidden)
        return shapes | norm_shapes("norm", d)


@dataclass(frozen=True)
class ScBERTNetwork:
    """scBERT ready to run.

    Attributes
    ----------
    classes
        Embedding of each class of expression, (7, D).
    places
        Embedding of each gene's place, that of gene2vec, and of the last token, (N, D).
    layers
        The Performer.
    norm
        Behind it.
    """

    classes: Tensor
    places: Tensor
    layers: tuple[PerformerLayer, ...]
    norm: Norm

    @classmethod
    def of(cls, state: State, places: Tensor, shape: ScBERTShape) -> Self:
        """Return the network of the tensors of ``state``, which :meth:`ScBERTShape.tensors` names, and the places."""

        def layer(name: str) -> PerformerLayer:
            attention, forward = f"{name}.0.fn", f"{name}.1.fn.fn"
            return PerformerLayer(
                norm=make_norm(state, f"{name}.0.norm", EPSILON),
                query=state[f"{attention}.to_q.weight"],
                tell=torch.cat([state[f"{attention}.to_k.weight"], state[f"{attention}.to_v.weight"]]),
                features=state[f"{attention}.fast_attention.projection_matrix"] * D_HEAD**-0.25,
                output=make_linear(state, f"{attention}.to_out"),
                norm_between=make_norm(state, f"{name}.1.norm", EPSILON),
                up=make_linear(state, f"{forward}.w1"),
                down=make_linear(state, f"{forward}.w2"),
            )

        layers = tuple(layer(f"performer.net.layers.{number}") for number in range(shape.depth))
        return cls(state["token_emb.weight"], places, layers, make_norm(state, "norm", EPSILON))

    def to(self, device: torch.device) -> Self:
        """Return the network on ``device`` in float32: features are exponentials, which 16 bits do not hold."""
        return replace(
            move(self, device, torch.float32),
            layers=tuple(move(layer, device, torch.float32) for layer in self.layers),
        )

    def cells(self, ids: Tensor, classes: Tensor, runs: Runs, pooling: str) -> Tensor:
        """Return the pooled output of each run, float32 (B, D); genes without a token have class 0.

        Parameters
        ----------
        ids, classes
            Place and class of each token, (N,).
        runs
            The cells' runs; each is computed alone.
        pooling
            ``"mean"`` of all places, or ``"last"``, the one behind the genes.
        """
        every, lengths = [], list(runs.lengths)
        for some, own in zip(*(torch.split_with_sizes(each, lengths) for each in (ids, classes)), strict=True):
            of_place = torch.zeros(len(self.places), dtype=torch.long, device=ids.device)
            of_place[some.long()] = own.long()
            every.append(self._pooled(of_place, pooling))
        return torch.stack(every)

    def _pooled(self, of_place: Tensor, pooling: str) -> Tensor:
        """Return one cell's row, (D,): each layer in one sweep, which gathers the next one's context on the way."""
        x = functional.embedding(of_place, self.classes).add_(self.places)  # (N, D)
        size = CHUNK if x.device.type == "cpu" else len(x)
        context: Context | None = None
        for part in torch.split(x, size):
            context = self.layers[0].gather(part, context)
        for layer, after in zip(self.layers[:-1], self.layers[1:], strict=True):
            whole, context = _whole(context), None
            for part in torch.split(x, size):
                part.copy_(layer(part, whole))
                context = after.gather(part, context)
        whole = _whole(context)
        if pooling == "last":
            return self.norm(self.layers[-1](x[-1:], whole))[0]
        sums = [self.norm(self.layers[-1](part, whole)).sum(0) for part in torch.split(x, size)]
        return torch.stack(sums).sum(0) / len(x)


def _whole(context: Context | None) -> Tensor:
    assert context is not None  # a cell has places
    return context.whole


def random_state(shape: ScBERTShape, seed: int) -> dict[str, Tensor]:
    """Return untrained tensors as torch and the paper draw them, by a generator of their own.

    Classes are normal, products uniform within 1/sqrt(n_in), norms 1 and 0, features orthogonal within blocks with the
    lengths of Gaussian vectors (Choromanski et al. 2021, section 3.2).
    """
    generator = torch.Generator().manual_seed(seed)
    shapes, state = shape.tensors(), {}
    for name, size in shapes.items():
        weight = shapes[name.removesuffix("bias") + "weight"] if name.endswith("bias") else size
        if name.startswith("token_emb"):
            state[name] = torch.randn(size, generator=generator)
        elif name.endswith("projection_matrix"):
            state[name] = torch.cat(list(_orthogonal(size[0], size[1], generator)))[: size[0]]
        elif len(weight) == 1:  # a norm's
            state[name] = torch.full(size, float(name.endswith("weight")))
        else:
            state[name] = torch.empty(size).uniform_(-(weight[-1] ** -0.5), weight[-1] ** -0.5, generator=generator)
    return state


def _orthogonal(n: int, d: int, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(math.ceil(n / d)):
        directions, _ = torch.linalg.qr(torch.randn(d, d, generator=generator))
        yield directions.T * torch.randn(d, d, generator=generator).norm(dim=1, keepdim=True)

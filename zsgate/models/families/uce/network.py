"""UCE's network: proteins' embeddings made narrower, a post-norm encoder, and a decoder of the class token.

Architecture and names of the tensors: Rosen et al. 2023, doi:10.1101/2023.11.28.568918, and the authors' released
code. Shapes in comments: N tokens of all cells together, U distinct ones, B cells, P width of a protein, D dimensions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.errors import UsageProblem
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.encoder import Encoder, Linear, Norm, move
from zsgate.models.transformer.state import (
    Shapes,
    State,
    layer_shapes,
    linear_shapes,
    make_layer,
    make_linear,
    make_norm,
    norm_shapes,
)

HEADS = 20  # upstream's, whatever the depth
EPSILON = 1e-5  # of the norms
PREFIX = "transformer_encoder.layers."
PROTEINS = "pe_embedding.weight"
POSITIONS = "pos_encoder.pe"
KNOWN_EXTRAS = ("binary_decoder.", "gene_embedding_layer.")  # the head that says whether a gene is expressed
LAYER = re.compile(re.escape(PREFIX) + r"(\d+)\.linear1\.weight$")
BLOCKS = 3  # of the decoder, each a product, a norm and GELU


@dataclass(frozen=True)
class UCEShape:
    """Sizes of the network, read from its tensors: upstream keeps no file of them."""

    d_protein: int
    d_model: int
    d_hid: int
    n_layers: int
    d_between: int
    d_out: int
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
        try:
            (d, wide), (hidden, _) = state["encoder.0.weight"].shape, state[f"{PREFIX}0.linear1.weight"].shape
            (between, _), (out, _) = state["decoder.0.0.weight"].shape, state["decoder.3.weight"].shape
            shape = cls(wide, d, hidden, 1 + max(layers), between, out, len(state[POSITIONS]))
        except (KeyError, ValueError, TypeError, IndexError) as error:
            msg = f"{where} is not that of a UCE checkpoint: no usable tensor for {error}"
            raise UsageProblem(msg) from error
        if d % HEADS or shape.n_layers > len(layers):
            msg = f"{where} is not that of a UCE checkpoint: {d} dimensions for {HEADS} heads, layers {sorted(layers)}"
            raise UsageProblem(msg)
        return shape

    def tensors(self) -> Shapes:
        """Return name and shape of every tensor the network uses, but for the proteins."""
        d = self.d_model
        shapes = linear_shapes("encoder.0", d, self.d_protein) | norm_shapes("encoder.2", d)
        shapes[POSITIONS] = (self.n_places, 1, d)
        for number in range(self.n_layers):
            shapes |= layer_shapes(f"{PREFIX}{number}", d, self.d_hid)
        widths = (d, self.d_between, self.d_out, self.d_out)
        for number in range(BLOCKS):
            shapes |= linear_shapes(f"decoder.{number}.0", widths[number + 1], widths[number])
            shapes |= norm_shapes(f"decoder.{number}.1", widths[number + 1])
        return shapes | linear_shapes(f"decoder.{BLOCKS}", self.d_out, self.d_out)


@dataclass(frozen=True)
class UCENetwork:
    """UCE ready to run.

    Attributes
    ----------
    proteins
        Embedding of each token, (n_tokens, P), on the CPU; where a file is mapped, only rows that are used are read.
    narrow, norm
        From a protein's embedding to D dimensions.
    positions
        What is added at each place of a sentence, (n_places, D).
    encoder
        The transformer.
    decoder
        Product and norm of each block behind it.
    output
        The last product.
    """

    proteins: Tensor
    narrow: Linear
    norm: Norm
    positions: Tensor
    encoder: Encoder
    decoder: tuple[tuple[Linear, Norm], ...]
    output: Linear

    @classmethod
    def of(cls, state: State, proteins: Tensor, shape: UCEShape) -> Self:
        """Return the network of the tensors of ``state``, which :meth:`UCEShape.tensors` names, and the proteins."""
        layers = tuple(make_layer(state, f"{PREFIX}{number}", EPSILON) for number in range(shape.n_layers))
        blocks = [f"decoder.{number}" for number in range(BLOCKS)]
        return cls(
            proteins=proteins,
            narrow=make_linear(state, "encoder.0"),
            norm=make_norm(state, "encoder.2", EPSILON),
            positions=state[POSITIONS][:, 0],
            encoder=Encoder(layers, HEADS),
            decoder=tuple((make_linear(state, f"{each}.0"), make_norm(state, f"{each}.1", EPSILON)) for each in blocks),
            output=make_linear(state, f"decoder.{BLOCKS}"),
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device`` in ``dtype``; the proteins stay where they are."""
        return replace(
            self,
            narrow=move(self.narrow, device, dtype).pack(),
            norm=move(self.norm, device, dtype),
            positions=self.positions.to(device, dtype),
            encoder=self.encoder.to(device, dtype),
            decoder=tuple((move(product, device, dtype), move(norm, device, dtype)) for product, norm in self.decoder),
            output=move(self.output, device, dtype),
        )

    def cells(self, ids: Tensor, runs: Runs) -> Tensor:
        """Return the decoded output of the class token of each run, of norm 1, float32 (B, D), of ids (N,)."""
        x = self._embed(ids) + self.positions[runs.places]  # (N, D)
        x = self.encoder.of_first_tokens(x, runs)  # (B, D)
        for product, norm in self.decoder:
            x = functional.gelu(norm(product(x)))
        return functional.normalize(self.output(x).float(), dim=1)

    def _embed(self, ids: Tensor) -> Tensor:
        """Return the narrow embedding of the proteins of ``ids``, (N, D); a protein is read once a batch."""
        distinct, place = torch.unique(ids, return_inverse=True)
        wide = self.proteins[distinct.cpu().long()].to(ids.device, torch.float32)  # (U, P)
        narrow = self.narrow(functional.normalize(wide, dim=1))
        narrow = self.norm(functional.gelu(narrow)) * math.sqrt(self.positions.shape[1])
        return functional.embedding(place, narrow)


def random_state(shape: UCEShape, seed: int) -> dict[str, Tensor]:
    """Return untrained tensors as torch draws those of upstream's module, by a generator of their own.

    Products are uniform within 1/sqrt(n_in), those of query, key and value within sqrt(6 / (n_in + n_out)) with
    biases 0, norms 1 and 0. Every layer is drawn, where upstream's are copies of the first.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = shape.tensors()

    def uniform(bound: float) -> Callable[[tuple[int, ...]], Tensor]:
        return lambda size: torch.empty(size).uniform_(-bound, bound, generator=generator)

    state = {}
    for name, size in shapes.items():
        weight = shapes[name.removesuffix("bias") + "weight"] if name.endswith("bias") else size
        if name == POSITIONS:
            state[name] = sinusoids(*size)
        elif name.endswith(("in_proj_bias", "out_proj.bias")):
            state[name] = torch.zeros(size)
        elif name.endswith("in_proj_weight"):
            state[name] = uniform(math.sqrt(6 / sum(size)))(size)
        elif len(weight) == 1:  # a norm's
            state[name] = torch.full(size, float(name.endswith("weight")))
        else:
            state[name] = uniform(weight[-1] ** -0.5)(size)
    return state


def sinusoids(n_places: int, one: int, d: int) -> Tensor:
    """Return the positions of Vaswani et al. 2017, (n_places, one, d): sines in even, cosines in odd dimensions."""
    angles = torch.arange(n_places)[:, None] * torch.exp(torch.arange(0, d, 2) * (-math.log(10_000) / d))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(n_places, one, d)

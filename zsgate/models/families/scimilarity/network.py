"""SCimilarity's encoder: a few dense layers from log-normalised expression to a point on a sphere.

Architecture: Heimberg et al. 2025; names of the tensors are those of upstream's ``nn_models.Encoder``, to whose
outputs in eval mode its own are equal. Shapes in comments: B cells, G genes, H units of a hidden layer, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import functional

from zsgate.errors import UsageProblem
from zsgate.models.pretrained.adapter import sparse_product
from zsgate.models.pretrained.weights import MOST_SIZE, read_names_and_values
from zsgate.models.transformer.encoder import Linear, move
from zsgate.models.transformer.state import Shapes, State, linear_shapes, make_linear

EPSILON = 1e-5  # of torch's BatchNorm1d
SLOPE = 0.25  # of torch's untrained PReLU


@dataclass(frozen=True)
class SCimilarityShape:
    """Sizes of the encoder: genes read, units of each hidden layer, dimensions of the embedding."""

    n_genes: int
    hidden: tuple[int, ...]
    latent: int

    @classmethod
    def read(cls, path: Path, n_genes: int) -> Self:
        """Return the sizes stated in ``layer_sizes.json``: the shape of each weight with two dimensions, by its name.

        Raises
        ------
        UsageProblem
            If they are not those of dense layers, each of which reads the one before, over ``n_genes`` genes.
        """
        stated = read_names_and_values(path)
        sizes = [size for name in sorted(stated) if "weight" in name and (size := _matrix(stated[name])) is not None]
        reads = [n_genes, *(n_out for n_out, _ in sizes)]
        if len(sizes) < 2 or [n_in for _, n_in in sizes] != reads[:-1] or max(reads) > MOST_SIZE:
            msg = (
                f"{path} does not state the layers of an SCimilarity encoder over {n_genes:,} genes (gene_order.tsv): "
                f"{', '.join(f'{n_out} x {n_in}' for n_out, n_in in sizes[:10]) or 'no weight'}"
            )
            raise UsageProblem(msg)
        return cls(n_genes, tuple(reads[1:-1]), reads[-1])

    def tensors(self) -> Shapes:
        """Return name and shape of every tensor that the encoder uses."""
        shapes: Shapes = {}
        for number, (n_in, n_out) in enumerate(zip((self.n_genes, *self.hidden), self.hidden, strict=False)):
            shapes |= linear_shapes(f"network.{number}.1", n_out, n_in)
            norm = ("weight", "bias", "running_mean", "running_var")
            shapes |= {f"network.{number}.2.{part}": (n_out,) for part in norm}
            shapes |= {f"network.{number}.3.weight": (1,)}
        return shapes | linear_shapes(f"network.{len(self.hidden)}", self.latent, self.hidden[-1])

    def extras(self) -> tuple[str, ...]:
        """Return the names of what the file has besides: how many batches each norm has seen."""
        return tuple(f"network.{number}.2.num_batches_tracked" for number in range(len(self.hidden)))


def _matrix(size: object) -> tuple[int, int] | None:
    """Return the two dimensions of a matrix, or None of anything else."""
    if not isinstance(size, list) or len(size) != 2 or not all(type(each) is int and each > 0 for each in size):
        return None
    return size[0], size[1]


@dataclass(frozen=True)
class SCimilarityNetwork:
    """The encoder ready to run, each batch normalisation made part of the product before it.

    Attributes
    ----------
    genes
        Weight of the first layer, a row for each gene, (G, H).
    bias
        Its bias, (H,).
    layers
        The other layers.
    slopes
        What negative values are multiplied with behind each layer but the last, each (1,).
    """

    genes: Tensor
    bias: Tensor
    layers: tuple[Linear, ...]
    slopes: tuple[Tensor, ...]

    @classmethod
    def of(cls, state: State, shape: SCimilarityShape) -> Self:
        """Return the network made of the tensors that :meth:`SCimilarityShape.tensors` names."""
        first, *rest = (_with_norm(state, f"network.{number}") for number in range(len(shape.hidden)))
        return cls(
            genes=first.weight.T.contiguous(),
            bias=first.bias,
            layers=(*rest, make_linear(state, f"network.{len(shape.hidden)}")),
            slopes=tuple(state[f"network.{number}.3.weight"] for number in range(len(shape.hidden))),
        )

    def to(self, device: torch.device) -> Self:
        """Return the network on ``device``."""
        layers = tuple(move(layer, device, torch.float32) for layer in self.layers)
        slopes = tuple(slope.to(device) for slope in self.slopes)
        return replace(move(self, device, torch.float32), layers=layers, slopes=slopes)

    def cells(self, values: sp.csr_matrix) -> Tensor:
        """Return the embedding of log-normalised expression (B, G), L2-normalised, float32 (B, D).

        Only genes that a cell expresses are multiplied, and none of the expression is made dense.
        """
        x = sparse_product(values, self.genes) + self.bias  # (B, H)
        for slope, layer in zip(self.slopes, self.layers, strict=True):
            x = layer(functional.prelu(x, slope))
        return functional.normalize(x, dim=1)


def _with_norm(state: State, block: str) -> Linear:
    """Return a layer and the batch normalisation behind it as one product, folded in float64."""
    layer = make_linear(state, f"{block}.1")
    weight, bias, mean, variance = (
        state[f"{block}.2.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / torch.sqrt(variance + EPSILON)
    folded = layer.weight.double().mul_(scale[:, None])
    return Linear(folded.float(), ((layer.bias.double() - mean) * scale + bias).float())


def random_state(shape: SCimilarityShape, seed: int) -> dict[str, Tensor]:
    """Return untrained tensors, drawn as upstream's module draws them: torch's defaults.

    Parameters
    ----------
    shape
        Sizes.
    seed
        Any integer; torch's own generator is left alone.
    """
    return dict(_draw(shape.tensors(), torch.Generator().manual_seed(seed)))


def _draw(shapes: Shapes, generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    fixed = {".2.weight": 1.0, ".2.bias": 0.0, ".2.running_mean": 0.0, ".2.running_var": 1.0, ".3.weight": SLOPE}
    for name, size in shapes.items():
        value = next((each for end, each in fixed.items() if name.count(".") > 2 and name.endswith(end)), None)
        if value is not None:
            yield name, torch.full(size, value)
            continue
        n_in = shapes[name.removesuffix("bias") + "weight" if name.endswith("bias") else name][-1]
        yield name, torch.empty(size).uniform_(-(n_in**-0.5), n_in**-0.5, generator=generator)

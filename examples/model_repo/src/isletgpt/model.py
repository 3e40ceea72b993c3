"""The network: scGPT's architecture (Cui et al., Nature Methods 2024) at two layers.

A cell is a set of genes. A gene's token is the sum of an embedding of its name and an embedding of its value; a class
token stands before them. A hidden gene has the value -1. Two heads predict expression: ``gep`` from a gene's own
output, ``gepc`` from the class token's output and the gene's name. Both predict how far a gene lies above the mean of
what its cell shows, beyond how far it lies above it on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from isletgpt.tokens import FIRST_GENE, Batch

HIDDEN = -1.0  # in the place of a value


@dataclass(frozen=True)
class Shape:
    """Sizes of the network."""

    n_genes: int
    width: int = 64
    heads: int = 4
    layers: int = 2
    inner: int = 128


class Output(NamedTuple):
    """What the network says of cells.

    ``cell`` is the embedding (n_cells, width): what ``gepc`` reads of the class token, at length 1 as scGPT's is.
    ``gep`` and ``gepc`` are predictions on the scale of the values, (n_cells, n_tokens).
    """

    cell: Tensor
    gep: Tensor
    gepc: Tensor


class Network(nn.Module):
    """Two layers of a transformer between gene tokens and two heads.

    Parameters
    ----------
    shape
        Its sizes.
    """

    usual: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.names = nn.Embedding(FIRST_GENE + shape.n_genes, width)
        nn.init.normal_(self.names.weight, std=0.05)  # small: a rare gene's embedding turns in few steps
        self.named = nn.LayerNorm(width)
        self.values = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.LayerNorm(width))
        layer = nn.TransformerEncoderLayer(width, shape.heads, shape.inner, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, shape.layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.gep = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self.query = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.key = nn.Linear(width, width, bias=False)
        self.register_buffer("usual", torch.zeros(FIRST_GENE + shape.n_genes))

    def forward(self, batch: Batch) -> Output:
        """Return the embedding of each cell and both predictions for each gene."""
        seen = torch.where(batch.hidden, HIDDEN, batch.values)
        names = self.named(self.names(batch.tokens))
        out = self.layers(names + self.values(seen[..., None] / 4), src_key_padding_mask=batch.padding)
        shown = batch.shown
        level = (batch.values * shown).sum(1, keepdim=True) / shown.sum(1, keepdim=True).clamp(min=1)
        expected = level + self.usual[batch.tokens]
        cell = self.key(out[:, 0])
        told = (self.query(names) * cell[:, None]).sum(-1) / self.shape.width**0.5
        return Output(functional.normalize(cell), expected + self.gep(out)[..., 0], expected + told)

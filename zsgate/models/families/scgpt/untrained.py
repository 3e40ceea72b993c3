"""scGPT's untrained weights, as upstream's module and so the paper's twin draw them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from zsgate.models.families.scgpt.network import ScGPTShape

INITS = ("independent", "identical")


def random_state(shape: ScGPTShape, n_tokens: int, seed: int, init: str = "independent") -> dict[str, Tensor]:
    """Return untrained tensors, drawn as upstream's module draws them, by a generator of their own.

    Gene embeddings are uniform on (-0.1, 0.1); every linear layer has torch's default, uniform within
    1/sqrt(n_in); norms are 1 and 0.

    Parameters
    ----------
    shape, n_tokens
        Sizes.
    seed
        Any integer.
    init
        ``"independent"``: every layer is drawn. ``"identical"``: all layers are copies of the first, which is
        what ``torch.nn.TransformerEncoder`` makes of upstream's model and so of the paper's.
    """
    generator = torch.Generator().manual_seed(seed)
    state = dict(_draw(shape.tensors(n_tokens), generator))
    if init == "identical":
        first = "transformer_encoder.layers.0."
        for name in state:
            if name.startswith("transformer_encoder.layers."):
                state[name] = state[first + name.split(".", 3)[3]].clone()
    return state


def _draw(shapes: Mapping[str, tuple[int, ...]], generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    for name, size in shapes.items():
        if name == "encoder.embedding.weight":
            yield name, torch.empty(size).uniform_(-0.1, 0.1, generator=generator)
        elif "norm" in name:
            yield name, torch.full(size, 1.0 if name.endswith("weight") else 0.0)
        else:
            weight = name.removesuffix("bias") + "weight"
            n_in = shapes[weight if weight in shapes else name][-1]
            yield name, torch.empty(size).uniform_(-(n_in**-0.5), n_in**-0.5, generator=generator)

"""State: a network's tensors by name, as a checkpoint's file has them: their shapes, and the parts made of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zsgate.models.transformer.encoder import Layer, Linear, Norm

Shapes = dict[str, tuple[int, ...]]
State = Mapping[str, Tensor]


def linear_shapes(name: str, n_out: int, n_in: int) -> Shapes:
    """Return name and shape of the two tensors of a linear layer."""
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def norm_shapes(name: str, d: int) -> Shapes:
    """Return name and shape of the two tensors of a layer normalisation."""
    return {f"{name}.weight": (d,), f"{name}.bias": (d,)}


def layer_shapes(name: str, d: int, hidden: int) -> Shapes:
    """Return name and shape of every tensor of a ``torch.nn.TransformerEncoderLayer``."""
    attention = f"{name}.self_attn"
    shapes: Shapes = {f"{attention}.in_proj_weight": (3 * d, d), f"{attention}.in_proj_bias": (3 * d,)}
    shapes |= linear_shapes(f"{attention}.out_proj", d, d)
    shapes |= linear_shapes(f"{name}.linear1", hidden, d) | linear_shapes(f"{name}.linear2", d, hidden)
    return shapes | norm_shapes(f"{name}.norm1", d) | norm_shapes(f"{name}.norm2", d)


def make_layer(state: State, name: str, epsilon: float) -> Layer:
    """Return the post-norm layer with ReLU whose tensors :func:`layer_shapes` names."""
    attention = f"{name}.self_attn"
    return Layer(
        project=Linear(state[f"{attention}.in_proj_weight"], state[f"{attention}.in_proj_bias"]),
        output=make_linear(state, f"{attention}.out_proj"),
        norm_attention=make_norm(state, f"{name}.norm1", epsilon),
        up=make_linear(state, f"{name}.linear1"),
        down=make_linear(state, f"{name}.linear2"),
        norm=make_norm(state, f"{name}.norm2", epsilon),
    )


def make_linear(state: State, *names: str) -> Linear:
    """Return the linear layer called ``names``; several are joined, one below the other, into one product."""
    weights, biases = ([state[f"{name}.{part}"] for name in names] for part in ("weight", "bias"))
    if len(names) == 1:
        return Linear(weights[0], biases[0])
    return Linear(torch.cat(weights), torch.cat(biases))


def make_norm(state: State, name: str, epsilon: float) -> Norm:
    """Return the layer normalisation called ``name``."""
    return Norm(state[f"{name}.weight"], state[f"{name}.bias"], epsilon)

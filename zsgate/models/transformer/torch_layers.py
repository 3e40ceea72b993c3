"""Encoders as ``torch.nn.TransformerEncoder`` names their tensors: scGPT's and UCE's."""

from __future__ import annotations

from zsgate.models.transformer.encoder import Encoder, Layer, Linear
from zsgate.models.transformer.state import Shapes, State, linear_shapes, make_linear, make_norm, norm_shapes

EPSILON = 1e-5  # of torch's layer normalisation
PREFIX = "transformer_encoder.layers."


def encoder_shapes(n_layers: int, d: int, hidden: int) -> Shapes:
    """Return name and shape of every tensor of ``n_layers`` layers of width ``d``, ``hidden`` in between."""
    shapes: Shapes = {}
    for number in range(n_layers):
        layer = f"{PREFIX}{number}"
        shapes |= {f"{layer}.self_attn.in_proj_weight": (3 * d, d), f"{layer}.self_attn.in_proj_bias": (3 * d,)}
        shapes |= linear_shapes(f"{layer}.self_attn.out_proj", d, d)
        shapes |= linear_shapes(f"{layer}.linear1", hidden, d) | linear_shapes(f"{layer}.linear2", d, hidden)
        shapes |= norm_shapes(f"{layer}.norm1", d) | norm_shapes(f"{layer}.norm2", d)
    return shapes


def make_encoder(state: State, n_layers: int, heads: int) -> Encoder:
    """Return the post-norm encoder made of the tensors that :func:`encoder_shapes` names."""

    def layer(name: str) -> Layer:
        attention = f"{name}.self_attn"
        return Layer(
            project=Linear(state[f"{attention}.in_proj_weight"], state[f"{attention}.in_proj_bias"]),
            output=make_linear(state, f"{attention}.out_proj"),
            norm_attention=make_norm(state, f"{name}.norm1", EPSILON),
            up=make_linear(state, f"{name}.linear1"),
            down=make_linear(state, f"{name}.linear2"),
            norm=make_norm(state, f"{name}.norm2", EPSILON),
        )

    return Encoder(tuple(layer(f"{PREFIX}{number}") for number in range(n_layers)), heads)

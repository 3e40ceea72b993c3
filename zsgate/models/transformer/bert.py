"""BERT (Devlin et al. 2019, arXiv:1810.04805): sizes, tensors by transformers' names, encoder, first values.

Geneformer is one over genes, CELLama's sentence transformer one over words; each adds its own first and last step.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from zsgate.errors import UsageProblem, shown
from zsgate.models.pretrained.weights import read_names_and_values, too_large
from zsgate.models.transformer.encoder import Activation, Encoder, Layer
from zsgate.models.transformer.state import Shapes, State, linear_shapes, make_linear, make_norm, norm_shapes

DEVIATION = 0.02  # standard deviation of untrained weights, BERT's initializer_range
WORDS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"
SEGMENTS = "embeddings.token_type_embeddings.weight"
NORM = "embeddings.LayerNorm"


@dataclass(frozen=True)
class BertShape:
    """Sizes of a BERT, by the names of its ``config.json``."""

    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    num_hidden_layers: int
    max_position_embeddings: int
    vocab_size: int
    type_vocab_size: int
    layer_norm_eps: float

    @classmethod
    def read_config(cls, path: Path, *, activation: str, whose: str) -> Self:
        """Return the sizes stated in a ``config.json``.

        Parameters
        ----------
        path
            The file.
        activation
            What ``hidden_act`` must be, where it is stated.
        whose
            What the file must belong to, for the message.

        Raises
        ------
        UsageProblem
            If it is not JSON, lacks a size, or asks for a BERT that the network is not.
        """
        config = read_names_and_values(path)
        found = {name: config.get(name) for name in cls.__dataclass_fields__}
        sizes: dict[str, Any] = {name: size for name, size in found.items() if type(size) is int and size > 0}
        epsilon = found["layer_norm_eps"]
        sizes["layer_norm_eps"] = epsilon if type(epsilon) is float and 0 < epsilon < 1 else None
        wrong = [f"{name} is {shown(size)}" for name, size in found.items() if sizes.get(name) is None]
        fixed = {"model_type": "bert", "hidden_act": activation, "pad_token_id": 0}
        fixed |= {"position_embedding_type": "absolute"}
        wrong += [
            f"{name} is {shown(config[name])}, not {value!r}"
            for name, value in fixed.items()
            if name in config and config[name] != value
        ]
        if not wrong and sizes["hidden_size"] % sizes["num_attention_heads"]:
            wrong = ["hidden_size is no multiple of num_attention_heads"]
        wrong = wrong or too_large(sizes)
        if wrong:
            msg = f"{path} is not that of {whose}: {'; '.join(wrong)}"
            raise UsageProblem(msg)
        return cls(**sizes)


def bert_shapes(shape: BertShape, prefix: str = "") -> Shapes:
    """Return name and shape of every tensor up to the last layer's output, in the order they are drawn in.

    Parameters
    ----------
    shape
        Sizes.
    prefix
        What all names begin with, such as ``"bert."``.
    """
    d, wide = shape.hidden_size, shape.intermediate_size
    shapes: Shapes = {
        f"{prefix}{WORDS}": (shape.vocab_size, d),
        f"{prefix}{POSITIONS}": (shape.max_position_embeddings, d),
        f"{prefix}{SEGMENTS}": (shape.type_vocab_size, d),
    }
    shapes |= norm_shapes(f"{prefix}{NORM}", d)
    for number in range(shape.num_hidden_layers):
        layer = f"{prefix}encoder.layer.{number}"
        for part in ("query", "key", "value"):
            shapes |= linear_shapes(f"{layer}.attention.self.{part}", d, d)
        shapes |= linear_shapes(f"{layer}.attention.output.dense", d, d)
        shapes |= norm_shapes(f"{layer}.attention.output.LayerNorm", d)
        shapes |= linear_shapes(f"{layer}.intermediate.dense", wide, d)
        shapes |= linear_shapes(f"{layer}.output.dense", d, wide)
        shapes |= norm_shapes(f"{layer}.output.LayerNorm", d)
    return shapes


def make_encoder(state: State, shape: BertShape, activation: Activation, prefix: str = "") -> Encoder:
    """Return the layers made of the tensors that :func:`bert_shapes` names."""

    def layer(name: str) -> Layer:
        attention = f"{name}.attention"
        return Layer(
            project=make_linear(state, *(f"{attention}.self.{part}" for part in ("query", "key", "value"))),
            output=make_linear(state, f"{attention}.output.dense"),
            norm_attention=make_norm(state, f"{attention}.output.LayerNorm", shape.layer_norm_eps),
            up=make_linear(state, f"{name}.intermediate.dense"),
            down=make_linear(state, f"{name}.output.dense"),
            norm=make_norm(state, f"{name}.output.LayerNorm", shape.layer_norm_eps),
            activation=activation,
        )

    numbers = range(shape.num_hidden_layers)
    layers = tuple(layer(f"{prefix}encoder.layer.{number}") for number in numbers)
    return Encoder(layers, shape.num_attention_heads)


def draw_state(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Return untrained tensors as BERT's initialisation draws them: normal(0, 0.02), biases 0, norms 1 and 0.

    Parameters
    ----------
    shapes
        Name and shape of every tensor; the padding token's row of the word embeddings, the first, is 0.
    seed
        Any integer; torch's own generator is left alone.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, size in shapes.items():
        if name.endswith("bias"):
            state[name] = torch.zeros(size)
        elif "LayerNorm" in name:
            state[name] = torch.ones(size)
        else:
            state[name] = torch.empty(size).normal_(0, DEVIATION, generator=generator)
        if name.endswith(WORDS):
            state[name][0] = 0
    return state

"""Geneformer's network: a BERT over ranked genes, up to the layer its embedding is read from.

Architecture: Devlin et al. 2019 (BERT) with ReLU, as configured by Theodoris et al. 2023; names of the
tensors are those of transformers' ``BertForMaskedLM``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from zsgate.errors import UsageProblem
from zsgate.models.geneformer.tokens import TOKEN_BITS
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.encoder import Encoder, Layer, Linear, Norm, moved

POSITIONS_AT_ONCE = 512  # logits over the vocabulary are made for so many positions at a time
TIED = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
KNOWN_EXTRAS = ("bert.embeddings.position_ids", *TIED, "bert.pooler.")


@dataclass(frozen=True)
class GeneformerShape:
    """Sizes of the network, read from the checkpoint's ``config.json``."""

    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    num_hidden_layers: int
    max_position_embeddings: int
    vocab_size: int
    type_vocab_size: int
    layer_norm_eps: float

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the shape stated in ``config.json``; anything the network cannot honour is refused."""
        try:
            config: dict[str, Any] = dict(json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            msg = f"{path} is not JSON of names and values: {error}"
            raise UsageProblem(msg) from error
        wrong = [
            f"{name} is {config.get(name)!r}"
            for name in cls.__dataclass_fields__
            if not isinstance(config.get(name), int | float) or config[name] <= 0
        ]
        fixed: dict[str, object] = {"model_type": "bert", "hidden_act": "relu", "pad_token_id": 0}
        fixed |= {"position_embedding_type": "absolute"}
        wrong += [
            f"{name} is {config[name]!r}, not {value!r}"
            for name, value in fixed.items()
            if name in config and config[name] != value
        ]
        if not wrong and config["hidden_size"] % config["num_attention_heads"]:
            wrong = ["hidden_size is no multiple of num_attention_heads"]
        if not wrong and config["vocab_size"] > 1 << TOKEN_BITS:
            wrong = [f"vocab_size is {config['vocab_size']:,}, more than {1 << TOKEN_BITS:,}"]
        if wrong:
            msg = f"{path} is not that of a Geneformer checkpoint: {'; '.join(wrong)}"
            raise UsageProblem(msg)
        return cls(**{name: config[name] for name in cls.__dataclass_fields__})

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every tensor the network uses."""
        d, wide = self.hidden_size, self.intermediate_size
        embeddings = "bert.embeddings"
        shapes: dict[str, tuple[int, ...]] = {
            f"{embeddings}.word_embeddings.weight": (self.vocab_size, d),
            f"{embeddings}.position_embeddings.weight": (self.max_position_embeddings, d),
            f"{embeddings}.token_type_embeddings.weight": (self.type_vocab_size, d),
        }
        blocks: list[tuple[str, tuple[int, ...]]] = [(f"{embeddings}.LayerNorm", (d,))]
        for number in range(self.num_hidden_layers):
            layer = f"bert.encoder.layer.{number}"
            blocks += [(f"{layer}.attention.self.{part}", (d, d)) for part in ("query", "key", "value")]
            blocks += [(f"{layer}.attention.output.dense", (d, d)), (f"{layer}.attention.output.LayerNorm", (d,))]
            blocks += [(f"{layer}.intermediate.dense", (wide, d)), (f"{layer}.output.dense", (d, wide))]
            blocks += [(f"{layer}.output.LayerNorm", (d,))]
        transform = "cls.predictions.transform"
        blocks += [(f"{transform}.dense", (d, d)), (f"{transform}.LayerNorm", (d,))]
        for name, size in blocks:
            shapes |= {f"{name}.weight": size, f"{name}.bias": size[:1]}
        return shapes | {"cls.predictions.bias": (self.vocab_size,)}


@dataclass(frozen=True)
class GeneformerNetwork:
    """Geneformer ready to run.

    Attributes
    ----------
    words
        Token embeddings, (n_tokens, d); the masked-language head is tied to them.
    positions
        Position embeddings, the one segment's embedding added, (n_positions, d).
    norm
        Norm of the embeddings' sum.
    encoder
        The transformer, all layers.
    transform, transform_norm, bias
        The masked-language head before the tied product.
    """

    words: Tensor
    positions: Tensor
    norm: Norm
    encoder: Encoder
    transform: Linear
    transform_norm: Norm
    bias: Tensor

    @classmethod
    def of(cls, state: Mapping[str, Tensor], shape: GeneformerShape) -> Self:
        """Return the network with the tensors of ``state``, which :meth:`GeneformerShape.tensors` names."""

        def linear(*names: str) -> Linear:
            weight = torch.cat([state[f"{name}.weight"] for name in names])
            return Linear(weight, torch.cat([state[f"{name}.bias"] for name in names]))

        def norm(name: str) -> Norm:
            return Norm(state[f"{name}.weight"], state[f"{name}.bias"], shape.layer_norm_eps)

        def layer(name: str) -> Layer:
            attention = f"{name}.attention"
            return Layer(
                project=linear(*(f"{attention}.self.{name}" for name in ("query", "key", "value"))),
                output=linear(f"{attention}.output.dense"),
                norm_attention=norm(f"{attention}.output.LayerNorm"),
                up=linear(f"{name}.intermediate.dense"),
                down=linear(f"{name}.output.dense"),
                norm=norm(f"{name}.output.LayerNorm"),
            )

        embeddings = "bert.embeddings"
        segment = state[f"{embeddings}.token_type_embeddings.weight"][0]
        layers = tuple(layer(f"bert.encoder.layer.{number}") for number in range(shape.num_hidden_layers))
        return cls(
            words=state[f"{embeddings}.word_embeddings.weight"],
            positions=state[f"{embeddings}.position_embeddings.weight"] + segment,
            norm=norm(f"{embeddings}.LayerNorm"),
            encoder=Encoder(layers, shape.num_attention_heads),
            transform=linear("cls.predictions.transform.dense"),
            transform_norm=norm("cls.predictions.transform.LayerNorm"),
            bias=state["cls.predictions.bias"],
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device`` in ``dtype``."""
        return replace(moved(self, device, dtype), encoder=self.encoder.to(device, dtype))

    def first_tokens(self, ids: Tensor, runs: Runs) -> Tensor:
        """Return the second-to-last layer's output for the first token of each run, (n_runs, d)."""
        return self._before_last.of_first_tokens(self._embedded(ids, runs), runs)

    def means(self, ids: Tensor, runs: Runs, skip: int) -> Tensor:
        """Return the mean second-to-last output of each run, ``skip`` tokens at both ends left out."""
        output = self._before_last(self._embedded(ids, runs), runs).float()
        if len(runs.lengths) == 1:
            return output[skip : len(output) - skip].mean(0, keepdim=True)
        lengths = torch.tensor(runs.lengths, device=ids.device)
        if skip:
            inside = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
            inside[runs.starts] = False
            inside[runs.cumulated[1:].long() - 1] = False
            output, lengths = output[inside], lengths - 2 * skip
        return torch.segment_reduce(output, "mean", lengths=lengths, axis=0)

    def predictions(self, ids: Tensor, runs: Runs, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (likeliest token, log-probability of ``truth``, tokens likelier than ``truth``) a position."""
        output = self.encoder(self._embedded(ids, runs), runs)
        hidden = self.transform_norm(self.transform(output).relu_())
        parts = [
            self._judged(part, true)
            for part, true in zip(
                torch.split(hidden, POSITIONS_AT_ONCE), torch.split(truth, POSITIONS_AT_ONCE), strict=True
            )
        ]
        best, likelihood, rank = (torch.cat(each) for each in zip(*parts, strict=True))
        return best, likelihood, rank

    def _judged(self, hidden: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = torch.nn.functional.linear(hidden, self.words, self.bias).float()
        true = logits.gather(1, truth[:, None].long())
        likelihood = true[:, 0] - logits.logsumexp(1)
        return logits.argmax(1), likelihood, (logits > true).sum(1)

    @property
    def _before_last(self) -> Encoder:
        return self.encoder.first_layers(len(self.encoder.layers) - 1)

    def _embedded(self, ids: Tensor, runs: Runs) -> Tensor:
        lengths = torch.tensor(runs.lengths, device=ids.device)
        place = torch.arange(len(ids), device=ids.device) - runs.starts.repeat_interleave(lengths, output_size=len(ids))
        return self.norm(self.words[ids] + self.positions[place])


def check_tied(state: Mapping[str, Tensor], *, where: Path) -> None:
    """Raise UsageProblem if the head's own copy of the embeddings or bias, where a file has one, is another."""
    for name, twin in zip(TIED, ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias"), strict=True):
        if name in state and not torch.equal(state[name], state[twin]):
            msg = f"{where}: {name} differs from {twin}, to which Geneformer ties it"
            raise UsageProblem(msg)


def random_state(shape: GeneformerShape, seed: int) -> dict[str, Tensor]:
    """Return untrained tensors as BERT's initialisation draws them: normal(0, 0.02), biases 0, norms 1 and 0.

    Parameters
    ----------
    shape
        Sizes.
    seed
        Any integer.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, size in shape.tensors().items():
        if name.endswith("bias"):
            state[name] = torch.zeros(size)
        elif "LayerNorm" in name:
            state[name] = torch.ones(size)
        else:
            state[name] = torch.empty(size).normal_(0, 0.02, generator=generator)
    state["bert.embeddings.word_embeddings.weight"][0] = 0  # the padding token
    return state

"""Geneformer's network: a BERT over ranked genes, up to the layer its embedding is read from.

Architecture: Devlin et al. 2019 (BERT) with ReLU, as configured by Theodoris et al. 2023; names of the
tensors are those of transformers' ``BertForMaskedLM``. Shapes in comments: N tokens of all cells together, B cells,
D dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from zsgate.errors import UsageProblem
from zsgate.models.transformer.attention import Runs, means
from zsgate.models.transformer.bert import (
    NORM,
    POSITIONS,
    SEGMENTS,
    WORDS,
    BertShape,
    bert_shapes,
    draw_state,
    make_encoder,
)
from zsgate.models.transformer.encoder import Encoder, Linear, Norm, move
from zsgate.models.transformer.ranking import TOKEN_BITS
from zsgate.models.transformer.state import Shapes, State, linear_shapes, make_linear, make_norm, norm_shapes

WHOSE = "a Geneformer checkpoint"
PREFIX, TRANSFORM = "bert.", "cls.predictions.transform"
POSITIONS_AT_ONCE = 512  # logits over the vocabulary are made for so many positions at a time
BIAS = "cls.predictions.bias"
TIED = {"cls.predictions.decoder.weight": f"{PREFIX}{WORDS}", "cls.predictions.decoder.bias": BIAS}
TABLES = (f"{PREFIX}{WORDS}", BIAS, *TIED)  # with a row for each token
BARE = ("embeddings.", "encoder.", "pooler.")  # how transformers' BertModel begins names that others have behind bert.
KNOWN_EXTRAS = ("bert.embeddings.position_ids", *TIED, "bert.pooler.", "classifier.", "cls.seq_relationship.")


@dataclass(frozen=True)
class GeneformerShape(BertShape):
    """Sizes of the network, read from the checkpoint's ``config.json``."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the shape stated in ``config.json``.

        Raises
        ------
        UsageProblem
            If the file is no such, or states anything that the network or the ranking of genes cannot honour.
        """
        shape = cls.read_config(path, activation="relu", whose=WHOSE)
        if shape.vocab_size > 1 << TOKEN_BITS:
            msg = f"{path} is not that of {WHOSE}: vocab_size is {shape.vocab_size:,}, more than {1 << TOKEN_BITS:,}"
            raise UsageProblem(msg)
        return shape

    def tensors(self) -> Shapes:
        """Return name and shape of every tensor the network uses."""
        return self.encoder() | self.head()

    def encoder(self) -> Shapes:
        """Return name and shape of every tensor of the encoder, without which there is no embedding."""
        return bert_shapes(self, PREFIX)

    def head(self) -> Shapes:
        """Return name and shape of every tensor of the masked-gene head, which is tied to the token embeddings."""
        d = self.hidden_size
        shapes = linear_shapes(f"{TRANSFORM}.dense", d, d) | norm_shapes(f"{TRANSFORM}.LayerNorm", d)
        return shapes | {BIAS: (self.vocab_size,)}


@dataclass(frozen=True)
class Head:
    """The masked-gene head before its product with the token embeddings, to which ``bias`` (n_tokens,) is added."""

    transform: Linear
    norm: Norm
    bias: Tensor

    @classmethod
    def of(cls, state: State, shape: GeneformerShape) -> Self:
        """Return the head made of the tensors that ``shape.head()`` names."""
        norm = make_norm(state, f"{TRANSFORM}.LayerNorm", shape.layer_norm_eps)
        return cls(make_linear(state, f"{TRANSFORM}.dense"), norm, state[BIAS])

    def __call__(self, output: Tensor) -> Tensor:
        """Return what is multiplied with the token embeddings, (N, D), of the last layer's output (N, D)."""
        return self.norm(self.transform(output).relu_())


@dataclass(frozen=True)
class GeneformerNetwork:
    """Geneformer ready to run.

    Attributes
    ----------
    words
        Token embeddings, (n_tokens, D); the masked-language head is tied to them.
    positions
        Position embeddings, the one segment's embedding added, (n_positions, D).
    norm
        Norm of the embeddings' sum.
    encoder
        The transformer, all layers.
    head
        The masked-gene head before the tied product; None where the checkpoint has none.
    """

    words: Tensor
    positions: Tensor
    norm: Norm
    encoder: Encoder
    head: Head | None

    @classmethod
    def of(cls, state: State, shape: GeneformerShape) -> Self:
        """Return the network made of the tensors that :meth:`GeneformerShape.tensors` names; the head is optional."""
        segment = state[f"{PREFIX}{SEGMENTS}"][0]
        return cls(
            words=state[f"{PREFIX}{WORDS}"],
            positions=state[f"{PREFIX}{POSITIONS}"] + segment,
            norm=make_norm(state, f"{PREFIX}{NORM}", shape.layer_norm_eps),
            encoder=make_encoder(state, shape, torch.relu_, PREFIX),
            head=Head.of(state, shape) if BIAS in state else None,
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device`` in ``dtype``."""
        return replace(move(self, device, dtype), encoder=self.encoder.to(device, dtype))

    def first_tokens(self, ids: Tensor, runs: Runs) -> Tensor:
        """Return the second-to-last layer's output for the first token of each run, (B, D), of ids (N,)."""
        return self._before_last.of_first_tokens(self._embed(ids, runs), runs)

    def means(self, ids: Tensor, runs: Runs, skip: int) -> Tensor:
        """Return the mean second-to-last output of each run, (B, D), ``skip`` tokens at both ends left out."""
        output = self._before_last(self._embed(ids, runs), runs).float()  # (N, D)
        return means(output, runs, skip)

    def predictions(self, ids: Tensor, runs: Runs, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (likeliest token, log-probability of ``truth``, tokens likelier than ``truth``), each (N,)."""
        assert self.head is not None  # an adapter without it predicts nothing
        hidden = self.head(self.encoder(self._embed(ids, runs), runs))  # (N, D)
        pieces = zip(torch.split(hidden, POSITIONS_AT_ONCE), torch.split(truth, POSITIONS_AT_ONCE), strict=True)
        judged = [self._judge(*piece, self.head.bias) for piece in pieces]
        best, likelihood, rank = (torch.cat(each) for each in zip(*judged, strict=True))
        return best, likelihood, rank

    def _judge(self, hidden: Tensor, truth: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = torch.nn.functional.linear(hidden, self.words, bias).float()  # (positions, n_tokens)
        true = logits.gather(1, truth[:, None].long())  # (positions, 1)
        likelihood = true[:, 0] - logits.logsumexp(1)
        return logits.argmax(1), likelihood, (logits > true).sum(1)

    @property
    def _before_last(self) -> Encoder:
        return self.encoder.first_layers(len(self.encoder.layers) - 1)

    def _embed(self, ids: Tensor, runs: Runs) -> Tensor:
        return self.norm(self.words[ids] + self.positions[runs.places])  # (N, D)


def use_one_prefix(state: State) -> dict[str, Tensor]:
    """Return the state with the names of a bare ``BertModel`` put behind ``bert.``, where others have them."""
    bare = WORDS in state and f"{PREFIX}{WORDS}" not in state
    return {f"{PREFIX}{name}" if bare and name.startswith(BARE) else name: each for name, each in state.items()}


def check_tied(state: State, *, where: Path) -> None:
    """Raise UsageProblem if the head's own copy of the embeddings or bias, where a file has one, is another."""
    for name, twin in TIED.items():
        if name in state and twin in state and not torch.equal(state[name], state[twin]):
            msg = f"{where}: {name} differs from {twin}, to which Geneformer ties it"
            raise UsageProblem(msg)


def random_state(shape: GeneformerShape, seed: int) -> dict[str, Tensor]:
    """Return untrained tensors, as BERT's initialisation draws them.

    Parameters
    ----------
    shape
        Sizes.
    seed
        Any integer.
    """
    return draw_state(shape.tensors(), seed)

"""GeneCompass's network: a BERT over ranked genes whose first step mixes value and four kinds of prior knowledge in.

Architecture: Yang et al. 2024, doi:10.1038/s41422-024-01034-y, and the authors' ``knowledge_embeddings.py``; names of
the tensors are those of their ``BertForMaskedLM``. Shapes in comments: N tokens of all cells together, B cells, D
dimensions, V tokens of the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.errors import UsageProblem
from zsgate.models.device import one_thread_each
from zsgate.models.pretrained.weights import read_names_and_values
from zsgate.models.transformer.attention import Runs
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
from zsgate.models.transformer.state import Shapes, State, linear_shapes, make_linear, make_norm, norm_shapes

WHOSE = "a GeneCompass checkpoint with values, class token and all four kinds of prior knowledge"
PREFIX = "bert."
MIX, SPECIES = f"{PREFIX}embeddings.concat_embeddings", f"{PREFIX}cls_embedding.weight"
PRIORS = ("promoter", "co_exp", "gene_family", "peca_grn")  # in the order in which they are joined
FLAGS = ("use_values", "use_cls_token", *(f"use_{prior}" for prior in PRIORS))
HUMAN = 0  # row of the class token of a human cell
EPSILON = 1e-5  # of the norm in the first step: PyTorch's
SLOPE = 1.702  # of QuickGELU, x sigmoid(1.702 x)
KNOWN_EXTRAS = (
    *(f"{PREFIX}embeddings.{name}" for name in ("position_ids", "homologous_index")),
    *(f"{PREFIX}pooler.", "classifier.", "cls.", "cls4value.", "emb_warmup."),
)


def knowledge(prior: str) -> str:
    """Return the name of the tensor with what is known of each token's gene."""
    return f"{PREFIX}embeddings.{prior}_knowledge"


@dataclass(frozen=True)
class GeneCompassShape:
    """Sizes of the network.

    Attributes
    ----------
    bert
        Those in the checkpoint's ``config.json``.
    widths
        Of each kind of prior knowledge.
    """

    bert: BertShape
    widths: tuple[int, ...]

    @classmethod
    def read(cls, path: Path, state: State) -> Self:
        """Return the shape stated in ``config.json``, and by the tables of prior knowledge in ``state``.

        Raises
        ------
        UsageProblem
            If the file is no such, or states another network than this one.
        """
        bert = BertShape.read_config(path, activation="gelu", whose=WHOSE)
        config = read_names_and_values(path)
        off = [flag for flag in FLAGS if config.get(flag) is not True]
        if off:
            msg = f"{path} is not that of {WHOSE}: {', '.join(off)} is not true"
            raise UsageProblem(msg)
        tables = [state.get(knowledge(prior)) for prior in PRIORS]
        return cls(bert, tuple(0 if table is None else int(table.shape[-1]) for table in tables))

    def tensors(self) -> Shapes:
        """Return name and shape of every tensor that training changes and the embedding depends on."""
        d = self.bert.hidden_size
        shapes = bert_shapes(self.bert, PREFIX) | {SPECIES: (2, d)}
        for prior, width in zip(PRIORS, self.widths, strict=True):
            shapes |= linear_shapes(f"{PREFIX}embeddings.{prior}_embeddings.linear1", d, width)
        shapes |= linear_shapes(f"{MIX}.cat_fc", d, (1 + len(PRIORS)) * d + 1)
        return shapes | norm_shapes(f"{MIX}.cat_ln", d) | linear_shapes(f"{MIX}.cat_proj", d, d)

    def priors(self) -> Shapes:
        """Return name and shape of each table of prior knowledge, which training leaves as it is."""
        size = self.bert.vocab_size
        return {knowledge(prior): (size, width) for prior, width in zip(PRIORS, self.widths, strict=True)}


@dataclass(frozen=True)
class GeneCompassNetwork:
    """GeneCompass ready to run on human cells.

    Attributes
    ----------
    genes
        What each token adds to the first product, prior knowledge and bias included, (V, D).
    value
        What a value of 1 adds to it, (D,).
    norm_mixed, project
        Norm of that product, and the second product of the first step.
    positions
        Position embeddings, the one segment's embedding added, (n_positions, D).
    norm
        Norm of the sum of both.
    species
        The class token of human cells, (D,); it has no position and no norm.
    encoder
        The transformer.
    """

    genes: Tensor
    value: Tensor
    norm_mixed: Norm
    project: Linear
    positions: Tensor
    norm: Norm
    species: Tensor
    encoder: Encoder

    @classmethod
    def of(cls, state: State, priors: State, shape: GeneCompassShape) -> Self:
        """Return the network made of the tensors that ``shape.tensors()`` and ``shape.priors()`` name."""
        d = shape.bert.hidden_size
        return cls(
            genes=_fold(state, priors, d),
            value=state[f"{MIX}.cat_fc.weight"][:, d].clone(),
            norm_mixed=make_norm(state, f"{MIX}.cat_ln", EPSILON),
            project=make_linear(state, f"{MIX}.cat_proj"),
            positions=state[f"{PREFIX}{POSITIONS}"] + state[f"{PREFIX}{SEGMENTS}"][0],
            norm=make_norm(state, f"{PREFIX}{NORM}", shape.bert.layer_norm_eps),
            species=state[SPECIES][HUMAN],
            encoder=make_encoder(state, shape.bert, functional.gelu, PREFIX),
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device``, its encoder in ``dtype``, the rest in float32."""
        return replace(move(self, device, torch.float32), encoder=self.encoder.to(device, dtype))

    def cells(self, ids: Tensor, values: Tensor, runs: Runs) -> Tensor:
        """Return the last layer's output for each run's class token, its first, float32 (B, D), of (N,) and (N,)."""
        return self.encoder.of_first_tokens(self._embed(ids, values, runs), runs).float()

    def _embed(self, ids: Tensor, values: Tensor, runs: Runs) -> Tensor:
        mixed = self.norm_mixed(self.genes[ids] + values[:, None] * self.value)  # (N, D)
        genes = self.project(mixed * torch.sigmoid(SLOPE * mixed))
        places = (runs.places - 1).clamp_(min=0)  # the first gene has position 0; the class token is replaced
        x = self.norm(genes + self.positions[places])
        x[runs.starts] = self.species
        return x


def _fold(state: State, priors: State, d: int) -> Tensor:
    """Return what each token adds to the first product, (V, D).

    Upstream maps each kind of knowledge to D dimensions and multiplies all of them, words and value by one matrix of
    (1 + 4) D + 1 columns. All that is linear and of the token alone, so it is done once a token instead of once a gene
    of a cell; on one thread, so that rows do not depend on how many there are.
    """
    weight = state[f"{MIX}.cat_fc.weight"]
    with one_thread_each():
        genes = torch.addmm(state[f"{MIX}.cat_fc.bias"], state[f"{PREFIX}{WORDS}"], weight[:, :d].T)
        for place, prior in enumerate(PRIORS, start=1):
            own = weight[:, place * d + 1 : (place + 1) * d + 1]
            maps = make_linear(state, f"{PREFIX}embeddings.{prior}_embeddings.linear1")
            genes.addmm_(priors[knowledge(prior)], (own @ maps.weight).T).add_(own @ maps.bias)
    return genes


def random_state(shape: GeneCompassShape, seed: int) -> dict[str, Tensor]:
    """Return untrained tensors, as BERT's initialisation draws them.

    Parameters
    ----------
    shape
        Sizes.
    seed
        Any integer.
    """
    state = draw_state(shape.tensors(), seed)
    state[f"{MIX}.cat_ln.weight"].fill_(1)
    return state

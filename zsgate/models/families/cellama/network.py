"""CELLama's network: a BERT over words whose last layer is averaged over the tokens of a sentence.

Names of the tensors are those of transformers' ``BertModel``, and outputs equal its ``last_hidden_state``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.models.pretrained.tensors import match_tensors, read_tensors
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
from zsgate.models.transformer.encoder import Encoder, Norm, move
from zsgate.models.transformer.state import State, make_norm

KNOWN_EXTRAS = ("embeddings.position_ids", "pooler.")  # not on the way from the tokens to the last layer's output


@dataclass(frozen=True)
class CELLamaNetwork:
    """CELLama's sentence transformer ready to run.

    Attributes
    ----------
    words, positions
        Embeddings of tokens and of places, (n_tokens, D) and (n_positions, D).
    segment
        Embedding of the only segment, (D,).
    norm
        Norm of their sum.
    encoder
        The transformer, all layers.
    """

    words: Tensor
    positions: Tensor
    segment: Tensor
    norm: Norm
    encoder: Encoder

    @classmethod
    def of(cls, state: State, shape: BertShape) -> Self:
        """Return the network with the tensors of ``state``, which ``bert_shapes(shape)`` names."""
        return cls(
            words=state[WORDS],
            positions=state[POSITIONS],
            segment=state[SEGMENTS][0],
            norm=make_norm(state, NORM, shape.layer_norm_eps),
            encoder=make_encoder(state, shape, functional.gelu),
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device``, its products in ``dtype``; norms and the sums between them in float32."""
        whole = move(self, device, torch.float32)
        return replace(whole, encoder=self.encoder.to(device, dtype, norms=torch.float32))

    def hidden(self, ids: Tensor, runs: Runs) -> Tensor:
        """Return the last layer's output for every token, float32 (N, D), of ids (N,)."""
        x = self.words[ids] + self.positions[runs.places] + self.segment  # (N, D)
        return self.encoder(self.norm(x), runs)

    def means(self, ids: Tensor, runs: Runs) -> Tensor:
        """Return the mean of the last layer's output over each run, float32 (B, D), of ids (N,)."""
        return means(self.hidden(ids, runs), runs)


def read_network(folder: Path, seed: int | None = None) -> CELLamaNetwork:
    """Return the network of a checkpoint's folder, on the CPU in float32.

    Parameters
    ----------
    folder
        Holds ``config.json`` and ``model.safetensors``.
    seed
        None reads the trained weights; a number draws untrained ones of the same shape.

    Raises
    ------
    UsageProblem
        If a file is damaged or of another network.
    """
    shape = BertShape.read_config(folder / "config.json", activation="gelu", whose="a sentence transformer")
    if seed is not None:
        return CELLamaNetwork.of(draw_state(bert_shapes(shape), seed), shape)
    path = folder / "model.safetensors"
    state, _ = match_tensors(read_tensors(path), bert_shapes(shape), where=path, extras=KNOWN_EXTRAS)
    return CELLamaNetwork.of(state, shape)

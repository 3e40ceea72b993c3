"""scFoundation's encoder: values in soft bins, a transformer over the genes that a cell expresses, pooled.

Architecture: Hao et al. 2024; names of the tensors are those of upstream's ``MaeAutobin``, to whose encoder outputs are
equal. Shapes in comments: N tokens of all cells together, B cells, K soft bins, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.errors import UsageProblem, shown
from zsgate.models.families.scfoundation.tokens import TOTALS
from zsgate.models.pretrained.weights import too_large
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.encoder import Encoder, Linear, Norm, move
from zsgate.models.transformer.state import (
    Shapes,
    State,
    layer_shapes,
    linear_shapes,
    make_layer,
    make_linear,
    make_norm,
    norm_shapes,
)

EPSILON = 1e-5
LEAK = 0.1  # slope of the soft bins' LeakyReLU
WIDER = 4  # times as wide as the embedding is a layer's feed-forward part
KNOWN_EXTRAS = ("token_emb.emb_mask.", "token_emb.emb_pad.", "decoder.", "decoder_embed.", "norm.", "to_final.")
POOLINGS = {"all": 4, "max": 1}  # parts of an embedding, each as wide as the encoder


@dataclass(frozen=True)
class ScFoundationShape:
    """Sizes of the encoder: genes, dimensions, layers, heads, soft bins; and the weight of a bin's own score."""

    n_genes: int
    hidden_dim: int
    depth: int
    heads: int
    bin_num: int
    bin_alpha: float

    @classmethod
    def of(cls, config: Mapping[str, object], n_genes: int, where: Path) -> Self:
        """Return the sizes in the settings that come with a model's tensors.

        Raises
        ------
        UsageProblem
            If one is missing, or they ask for an encoder that the network is not.
        """
        settings = _inner(config, "model_config", "mae_autobin") | _inner(config, "dataset_config", "rnaseq")
        encoder = _inner(settings, "encoder")
        found = {name: encoder.get(name) for name in ("hidden_dim", "depth", "heads")}
        found |= {name: settings.get(name) for name in ("bin_num", "seq_len")}
        sizes: dict[str, Any] = {name: size for name, size in found.items() if type(size) is int and size > 0}
        wrong = [f"{name} is {shown(size)}" for name, size in found.items() if name not in sizes]
        fixed = (
            (encoder.get("module_type"), "transformer", "module_type"),
            (encoder.get("norm_first", False), False, "norm_first"),
            (sizes.pop("seq_len", None), n_genes + TOTALS, "seq_len"),
        )
        wrong += [f"{name} is {shown(value)}, not {asked}" for value, asked, name in fixed if value != asked]
        alpha = settings.get("bin_alpha")
        if type(alpha) not in (int, float):
            wrong.append(f"bin_alpha is {shown(alpha)}")
        wrong = wrong or too_large(
            {"layers": sizes["depth"], **{name: sizes[name] for name in sizes if name != "depth"}}
        )
        if not wrong and sizes["hidden_dim"] % sizes["heads"]:
            wrong = ["hidden_dim is no multiple of heads"]
        if wrong:
            msg = f"{where} does not hold an scFoundation encoder over {n_genes:,} genes: {'; '.join(wrong)}"
            raise UsageProblem(msg)
        return cls(n_genes, bin_alpha=float(alpha), **sizes)  # type: ignore[arg-type]

    def tensors(self) -> Shapes:
        """Return name and shape of every tensor that the encoder uses."""
        d, bins = self.hidden_dim, self.bin_num
        shapes = linear_shapes("token_emb.mlp", bins, 1) | linear_shapes("token_emb.mlp2", bins, bins)
        shapes |= {"token_emb.emb.weight": (bins, d), "pos_emb.weight": (self.n_genes + TOTALS + 1, d)}
        for number in range(self.depth):
            shapes |= layer_shapes(f"encoder.transformer_encoder.{number}", d, WIDER * d)
        return shapes | norm_shapes("encoder.norm", d)


def _inner(settings: Mapping[str, object], *names: str) -> dict[str, object]:
    """Return a table within tables of settings; an empty one where it is not there."""
    found: object = settings
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class ScFoundationNetwork:
    """The encoder ready to run.

    Attributes
    ----------
    score, rescore
        Scores of a value for each soft bin, (K, 1), and what all of them add to each, (K, K).
    alpha
        Weight of a bin's own score.
    bins
        Embeddings of the bins, (K, D).
    genes
        Embeddings of the tokens, (n_tokens, D).
    encoder, norm
        The transformer, and the norm behind it.
    """

    score: Linear
    rescore: Linear
    alpha: float
    bins: Tensor
    genes: Tensor
    encoder: Encoder
    norm: Norm

    @classmethod
    def of(cls, state: State, shape: ScFoundationShape) -> Self:
        """Return the network made of the tensors that :meth:`ScFoundationShape.tensors` names."""
        names = (f"encoder.transformer_encoder.{number}" for number in range(shape.depth))
        return cls(
            score=make_linear(state, "token_emb.mlp"),
            rescore=make_linear(state, "token_emb.mlp2"),
            alpha=shape.bin_alpha,
            bins=state["token_emb.emb.weight"],
            genes=state["pos_emb.weight"],
            encoder=Encoder(tuple(make_layer(state, name, EPSILON) for name in names), shape.heads),
            norm=make_norm(state, "encoder.norm", EPSILON),
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device``, its encoder in ``dtype``, the rest in float32."""
        return replace(move(self, device, torch.float32), encoder=self.encoder.to(device, dtype))

    def cells(self, ids: Tensor, values: Tensor, runs: Runs, pooling: str) -> Tensor:
        """Return a row for each run, float32, of ids and values (N,).

        With pooling ``"all"`` it is S, T, the largest and the mean output over the genes side by side, (B, 4 D), with
        ``"max"`` the largest over all tokens, (B, D).
        """
        output = self.norm(self.encoder(self._embed(ids, values), runs))  # (N, D)
        pool = _pool_all if pooling == "all" else _pool_max
        return torch.stack([pool(cell) for cell in torch.split(output, list(runs.lengths))])

    def _embed(self, ids: Tensor, values: Tensor) -> Tensor:
        scores = functional.leaky_relu(self.score(values[:, None]), LEAK)  # (N, K)
        weights = (self.rescore(scores) + self.alpha * scores).softmax(1)
        return weights @ self.bins + self.genes[ids]  # (N, D)


def _pool_all(cell: Tensor) -> Tensor:
    genes = cell[:-TOTALS]
    return torch.cat([cell[-1], cell[-2], genes.amax(0), genes.mean(0)])


def _pool_max(cell: Tensor) -> Tensor:
    return cell.amax(0)


def random_state(shape: ScFoundationShape, seed: int) -> dict[str, Tensor]:
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
    for name, size in shapes.items():
        if "emb.weight" in name:
            yield name, torch.empty(size).normal_(generator=generator)
        elif "norm" in name or name.endswith(("in_proj_bias", "out_proj.bias")):
            yield name, torch.full(size, 1.0 if name.endswith("weight") else 0.0)
        else:
            n_in = shapes[name.removesuffix("bias") + "weight" if name.endswith("bias") else name][-1]
            # attention's products are drawn by Glorot and Bengio's rule, all others within 1/sqrt(n_in)
            bound = (6 / sum(size)) ** 0.5 if name.endswith("in_proj_weight") else n_in**-0.5
            yield name, torch.empty(size).uniform_(-bound, bound, generator=generator)

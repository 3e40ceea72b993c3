"""scGPT's network: gene and value embeddings, a post-norm encoder, two heads that predict bins.

Architecture and names of the tensors: Cui et al. 2024 (Nature Methods) and the authors' released code. Shapes in
comments: N tokens of all cells together, B cells, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.errors import UsageProblem, shown
from zsgate.models.families.scgpt.tokens import N_BINS, PAD_VALUE
from zsgate.models.pretrained.weights import read_names_and_values, too_large
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.encoder import Encoder, Linear, move
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
HEADS = ("gep", "gepc")
KNOWN_EXTRAS = (
    *("flag_encoder.", "cls_decoder.", "grad_reverse_discriminator.", "batch_encoder."),
    *("decoder.zero_logit.", "mvc_decoder.W_zero_logits."),  # how likely a count is 0, which the heads do without
)
BATCH_NORM = ("dsbn.", "bn.")
LONGEST = 1200  # tokens that upstream's embed_data reads of a cell
RENAMED = (("self_attn._impl.", "self_attn."), ("self_attn.Wqkv.", "self_attn.in_proj_"))
VALUES = tuple(range(PAD_VALUE, N_BINS))  # every value a token can have: pad, mask, bins 0 to 50


@dataclass(frozen=True)
class ScGPTShape:
    """Sizes of the network, read from the checkpoint's ``args.json``."""

    embsize: int
    nheads: int
    d_hid: int
    nlayers: int
    max_seq_len: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the shape stated in ``args.json``.

        Raises
        ------
        UsageProblem
            If it is not JSON, lacks a size, or states anything that the network cannot honour.
        """
        args = {"max_seq_len": LONGEST, **read_names_and_values(path)}
        found = {name: args.get(name) for name in cls.__dataclass_fields__}
        sizes = {name: size for name, size in found.items() if type(size) is int and size > 0}
        wrong = [f"{name} is {shown(size)}" for name, size in found.items() if name not in sizes]
        fixed = {"pad_value": PAD_VALUE, "mask_value": -1, "input_emb_style": "continuous"}
        fixed |= {"pad_token": "<pad>", "input_style": "binned", "pre_norm": False}
        wrong += [
            f"{name} is {shown(args[name])}, not {value!r}"
            for name, value in fixed.items()
            if name in args and args[name] != value
        ]
        if not wrong and sizes["embsize"] % sizes["nheads"]:
            wrong = [f"embsize {sizes['embsize']} is no multiple of nheads {sizes['nheads']}"]
        wrong = wrong or too_large(sizes)
        if wrong:
            msg = f"{path} is not that of an scGPT checkpoint: {'; '.join(wrong)}"
            raise UsageProblem(msg)
        return cls(**sizes)

    def tensors(self, n_tokens: int) -> Shapes:
        """Return name and shape of every tensor the network uses."""
        gep, gepc = self.heads().values()
        return self.encoder(n_tokens) | gep | gepc

    def heads(self) -> dict[str, Shapes]:
        """Return name and shape of every tensor of each head, by the names of :data:`HEADS`."""
        d, gep = self.embsize, Shapes()
        for name, n_out in (("0", d), ("2", d), ("4", 1)):
            gep |= linear_shapes(f"decoder.fc.{name}", n_out, d)
        gepc = linear_shapes("mvc_decoder.gene2query", d, d) | {"mvc_decoder.W.weight": (d, d)}
        return dict(zip(HEADS, (gep, gepc), strict=True))

    def encoder(self, n_tokens: int) -> Shapes:
        """Return name and shape of every tensor of the encoder, without which there is no embedding."""
        d, hidden = self.embsize, self.d_hid
        shapes: Shapes = {"encoder.embedding.weight": (n_tokens, d)}
        shapes |= norm_shapes("encoder.enc_norm", d)
        shapes |= linear_shapes("value_encoder.linear1", d, 1) | linear_shapes("value_encoder.linear2", d, d)
        shapes |= norm_shapes("value_encoder.norm", d)
        for number in range(self.nlayers):
            shapes |= layer_shapes(f"transformer_encoder.layers.{number}", d, hidden)
        return shapes


def use_torch_names(state: State) -> dict[str, Tensor]:
    """Return the state with flash-attention's names for attention replaced by torch's: a pure renaming."""

    def renamed(name: str) -> str:
        for old, new in RENAMED:
            name = name.replace(old, new)
        return name

    return {renamed(name): tensor for name, tensor in state.items()}


def refuse_batch_norm(state: State, *, where: Path) -> None:
    """Raise UsageProblem if the embedding goes through batch norm, which depends on the batches of the training."""
    if found := [name for name in state if name.startswith(BATCH_NORM)]:
        msg = (
            f"{where} has domain-specific or plain batch norm ({found[0]}): its embedding depends on which batch of "
            "the fine-tuning a cell is said to be of, and cells of new data are of none"
        )
        raise UsageProblem(msg)


def reads_batches(state: State, shape: ScGPTShape) -> bool:
    """Return whether the heads read a batch label beside the output, as after fine-tuning with such labels."""
    first = state.get("decoder.fc.0.weight")
    labels = any(name.startswith("batch_encoder.") for name in state)
    return labels and first is not None and tuple(first.shape) == (shape.embsize, 2 * shape.embsize)


@dataclass(frozen=True)
class ScGPTNetwork:
    """scGPT ready to run.

    Attributes
    ----------
    genes
        Normalised gene embeddings, (n_tokens, d).
    values
        What the value encoder says of each value from -2 to 50, (53, d): a table instead of two layers
        for every token.
    encoder
        The transformer.
    expression
        The head that predicts a token's bin from its output (gene expression prediction, GEP); None without it.
    query, inner
        The head that predicts it from the cell embedding (GEPC): sigmoid(query(gene)) innerᵀ cell; None without it.
    projected_genes, projected_values
        What the first layer makes of both for its query, key and value, (n_tokens, 3 d) and (53, 3 d): tables,
        because its input is their sum.
    """

    genes: Tensor
    values: Tensor
    encoder: Encoder
    expression: tuple[Linear, Linear, Linear] | None
    query: Linear | None
    inner: Tensor | None
    projected_genes: Tensor | None = None
    projected_values: Tensor | None = None

    @classmethod
    def of(cls, state: State, shape: ScGPTShape, heads: Sequence[str] = HEADS) -> Self:
        """Return the network with some heads, of the tensors of ``state``, which :meth:`ScGPTShape.tensors` names."""

        def gep(number: str) -> Linear:
            return make_linear(state, f"decoder.fc.{number}")

        every = torch.tensor(VALUES, dtype=torch.float32)[:, None]  # (53, 1)
        hidden = make_linear(state, "value_encoder.linear1")(every).relu()  # (53, D)
        values = make_linear(state, "value_encoder.linear2")(hidden)  # (53, D)
        names = (f"transformer_encoder.layers.{number}" for number in range(shape.nlayers))
        return cls(
            genes=make_norm(state, "encoder.enc_norm", EPSILON)(state["encoder.embedding.weight"]),
            values=make_norm(state, "value_encoder.norm", EPSILON)(values),
            encoder=Encoder(tuple(make_layer(state, name, EPSILON) for name in names), shape.nheads),
            expression=(gep("0"), gep("2"), gep("4")) if "gep" in heads else None,
            query=make_linear(state, "mvc_decoder.gene2query") if "gepc" in heads else None,
            inner=state["mvc_decoder.W.weight"] if "gepc" in heads else None,
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device`` in ``dtype``."""
        whole = move(self, device, dtype)
        expression = self.expression
        if expression is not None:
            first, second, third = (move(part, device, dtype) for part in expression)
            expression = first, second, third
        encoder, project = self.encoder.to(device, dtype), self.encoder.layers[0].project
        return replace(
            whole,
            encoder=encoder,
            expression=expression,
            projected_genes=encoder.layers[0].project(whole.genes),
            projected_values=functional.linear(self.values, project.weight).to(device, dtype),
        )

    def cells(self, ids: Tensor, bins: Tensor, runs: Runs) -> Tensor:
        """Return the class token's output for each run, not normalised, (B, D), of ids and bins (N,)."""
        return self.encoder.of_first_tokens(*self._embed(ids, bins, runs))

    def predictions(self, ids: Tensor, bins: Tensor, runs: Runs) -> tuple[Tensor, ...]:
        """Return the bins predicted for each token by GEP and GEPC, those that are there, each float32 (N,)."""
        output = self.encoder(*self._embed(ids, bins, runs))  # (N, D)
        found = []
        if self.expression is not None:
            first, second, third = self.expression
            gep = third(functional.leaky_relu(second(functional.leaky_relu(first(output)))))  # (N, 1)
            found.append(gep[:, 0].float())
        if self.query is not None and self.inner is not None:
            cell = output[runs.starts] @ self.inner  # (B, D); inner(query) . cell = query . (cell inner)
            repeats = torch.tensor(runs.lengths, device=ids.device)
            of_token = cell.repeat_interleave(repeats, dim=0, output_size=len(ids))  # (N, D)
            found.append((self.query(self.genes[ids]).sigmoid() * of_token).sum(-1).float())
        return tuple(found)

    def _embed(self, ids: Tensor, bins: Tensor, runs: Runs) -> tuple[Tensor, Runs, Tensor | None]:
        """Return the tokens (N, D), their runs, and what the first layer projects the tokens to (N, 3 D), if known."""
        value, projected = bins.long() - PAD_VALUE, None
        if self.projected_genes is not None and self.projected_values is not None:
            projected = _look_up(ids, self.projected_genes).add_(_look_up(value, self.projected_values))
        return _look_up(ids, self.genes).add_(_look_up(value, self.values)), runs, projected


def _look_up(rows: Tensor, table: Tensor) -> Tensor:
    return functional.embedding(rows, table)  # copies whole rows: twice as fast as indexing

"""scGPT's network: gene and value embeddings, a post-norm encoder, two heads that predict bins.

Architecture and names of the tensors: Cui et al. 2024 (Nature Methods) and the authors' released code. Shapes in
comments: N tokens of all cells together, B cells, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from zsgate.errors import UsageProblem
from zsgate.models.pretrained.weights import read_names_and_values, too_large
from zsgate.models.scgpt.tokens import N_BINS, PAD_VALUE
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.encoder import Encoder, Layer, Linear, move
from zsgate.models.transformer.state import Shapes, State, linear_shapes, make_linear, make_norm, norm_shapes

EPSILON = 1e-5
INITS = ("independent", "identical")
KNOWN_EXTRAS = ("flag_encoder.", "cls_decoder.", "grad_reverse_discriminator.", "batch_encoder.")
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
        args = read_names_and_values(path)
        found = {name: args.get(name) for name in cls.__dataclass_fields__}
        sizes = {name: size for name, size in found.items() if type(size) is int and size > 0}
        wrong = [f"{name} is {size!r}" for name, size in found.items() if name not in sizes]
        fixed = {"n_bins": N_BINS, "pad_value": PAD_VALUE, "mask_value": -1, "input_emb_style": "continuous"}
        fixed |= {"pad_token": "<pad>", "input_style": "binned"}
        wrong += [
            f"{name} is {args[name]!r}, not {value!r}"
            for name, value in fixed.items()
            if name in args and args[name] != value
        ]
        if not wrong and sizes["embsize"] % sizes["nheads"]:
            wrong = [f"embsize {sizes['embsize']} is no multiple of nheads {sizes['nheads']}"]
        wrong += too_large(sizes)
        if wrong:
            msg = f"{path} is not that of an scGPT checkpoint: {'; '.join(wrong)}"
            raise UsageProblem(msg)
        return cls(**sizes)

    def tensors(self, n_tokens: int) -> Shapes:
        """Return name and shape of every tensor the network uses."""
        d, hidden = self.embsize, self.d_hid
        shapes: Shapes = {"encoder.embedding.weight": (n_tokens, d)}
        shapes |= norm_shapes("encoder.enc_norm", d)
        shapes |= linear_shapes("value_encoder.linear1", d, 1) | linear_shapes("value_encoder.linear2", d, d)
        shapes |= norm_shapes("value_encoder.norm", d)
        for number in range(self.nlayers):
            layer = f"transformer_encoder.layers.{number}"
            shapes |= {
                f"{layer}.self_attn.in_proj_weight": (3 * d, d),
                f"{layer}.self_attn.in_proj_bias": (3 * d,),
            }
            shapes |= linear_shapes(f"{layer}.self_attn.out_proj", d, d)
            shapes |= linear_shapes(f"{layer}.linear1", hidden, d) | linear_shapes(f"{layer}.linear2", d, hidden)
            shapes |= norm_shapes(f"{layer}.norm1", d) | norm_shapes(f"{layer}.norm2", d)
        for name, n_out in (("0", d), ("2", d), ("4", 1)):
            shapes |= linear_shapes(f"decoder.fc.{name}", n_out, d)
        shapes |= linear_shapes("mvc_decoder.gene2query", d, d)
        return shapes | {"mvc_decoder.W.weight": (d, d)}


def use_torch_names(state: State) -> dict[str, Tensor]:
    """Return the state with flash-attention's names for attention replaced by torch's: a pure renaming."""

    def renamed(name: str) -> str:
        for old, new in RENAMED:
            name = name.replace(old, new)
        return name

    return {renamed(name): tensor for name, tensor in state.items()}


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
        The head that predicts a token's bin from its output (gene expression prediction, GEP).
    query, inner
        The head that predicts it from the cell embedding (GEPC): sigmoid(query(gene)) innerᵀ cell.
    projected_genes, projected_values
        What the first layer makes of both for its query, key and value, (n_tokens, 3 d) and (53, 3 d): tables,
        because its input is their sum.
    """

    genes: Tensor
    values: Tensor
    encoder: Encoder
    expression: tuple[Linear, Linear, Linear]
    query: Linear
    inner: Tensor
    projected_genes: Tensor | None = None
    projected_values: Tensor | None = None

    @classmethod
    def of(cls, state: State, shape: ScGPTShape) -> Self:
        """Return the network with the tensors of ``state``, which :meth:`ScGPTShape.tensors` names."""

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

        def gep(number: str) -> Linear:
            return make_linear(state, f"decoder.fc.{number}")

        every = torch.tensor(VALUES, dtype=torch.float32)[:, None]  # (53, 1)
        hidden = make_linear(state, "value_encoder.linear1")(every).relu()  # (53, D)
        values = make_linear(state, "value_encoder.linear2")(hidden)  # (53, D)
        layers = tuple(layer(f"transformer_encoder.layers.{number}") for number in range(shape.nlayers))
        return cls(
            genes=make_norm(state, "encoder.enc_norm", EPSILON)(state["encoder.embedding.weight"]),
            values=make_norm(state, "value_encoder.norm", EPSILON)(values),
            encoder=Encoder(layers, shape.nheads),
            expression=(gep("0"), gep("2"), gep("4")),
            query=make_linear(state, "mvc_decoder.gene2query"),
            inner=state["mvc_decoder.W.weight"],
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return the network on ``device`` in ``dtype``."""
        whole = move(self, device, dtype)
        first, second, third = (move(part, device, dtype) for part in self.expression)
        encoder, project = self.encoder.to(device, dtype), self.encoder.layers[0].project
        return replace(
            whole,
            encoder=encoder,
            expression=(first, second, third),
            projected_genes=encoder.layers[0].project(whole.genes),
            projected_values=functional.linear(self.values, project.weight).to(device, dtype),
        )

    def cells(self, ids: Tensor, bins: Tensor, runs: Runs) -> Tensor:
        """Return the class token's output for each run, not normalised, (B, D), of ids and bins (N,)."""
        return self.encoder.of_first_tokens(*self._embed(ids, bins, runs))

    def predictions(self, ids: Tensor, bins: Tensor, runs: Runs) -> tuple[Tensor, Tensor]:
        """Return the bins predicted by GEP and GEPC for each token, both float32 (N,)."""
        output = self.encoder(*self._embed(ids, bins, runs))  # (N, D)
        first, second, third = self.expression
        gep = third(functional.leaky_relu(second(functional.leaky_relu(first(output)))))  # (N, 1)
        cell = output[runs.starts] @ self.inner  # (B, D); inner(query) . cell = query . (cell inner)
        repeats = torch.tensor(runs.lengths, device=ids.device)
        of_token = cell.repeat_interleave(repeats, dim=0, output_size=len(ids))  # (N, D)
        gepc = (self.query(self.genes[ids]).sigmoid() * of_token).sum(-1)
        return gep[:, 0].float(), gepc.float()

    def _embed(self, ids: Tensor, bins: Tensor, runs: Runs) -> tuple[Tensor, Runs, Tensor | None]:
        """Return the tokens (N, D), their runs, and what the first layer projects the tokens to (N, 3 D), if known."""
        value, projected = bins.long() - PAD_VALUE, None
        if self.projected_genes is not None and self.projected_values is not None:
            projected = _look_up(ids, self.projected_genes).add_(_look_up(value, self.projected_values))
        return _look_up(ids, self.genes).add_(_look_up(value, self.values)), runs, projected


def _look_up(rows: Tensor, table: Tensor) -> Tensor:
    return functional.embedding(rows, table)  # copies whole rows: twice as fast as indexing


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

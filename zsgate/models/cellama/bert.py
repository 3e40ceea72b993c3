"""A BERT encoder for inference: post-norm blocks over batches of equal length, so nothing is padded.

Devlin et al. 2019, arXiv:1810.04805. Weights are read from safetensors in the names of Hugging Face's
``BertModel``; outputs equal its ``last_hidden_state``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from zsgate.models.transformer.runner import one_thread_each
from zsgate.models.transformer.softmax import softmax_in_place

TOKENS_PER_BATCH = 2048  # on a CPU: activations stay in the cache, and the products are still large enough
GPU_TOKENS_PER_BATCH = 65_536
# not on the way from the tokens to the last hidden state
IGNORED = {"embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"}

Tensors = dict[str, torch.Tensor]


def shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor the encoder needs."""
    d, inner = config["hidden_size"], config["intermediate_size"]
    needed: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], d),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], d),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], d),
        "embeddings.LayerNorm.weight": (d,),
        "embeddings.LayerNorm.bias": (d,),
    }
    dense = {
        "attention.self.query": (d, d),
        "attention.self.key": (d, d),
        "attention.self.value": (d, d),
        "attention.output.dense": (d, d),
        "intermediate.dense": (inner, d),
        "output.dense": (d, inner),
    }
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        for name, shape in dense.items():
            needed |= {f"{prefix}{name}.weight": shape, f"{prefix}{name}.bias": shape[:1]}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            needed |= {f"{prefix}{name}.weight": (d,), f"{prefix}{name}.bias": (d,)}
    return needed


def load(folder: Path) -> tuple[dict[str, Any], Tensors]:
    """Return (config, tensors) of a BERT checkpoint folder, refusing anything missing, misshapen or extra."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "model.safetensors")
    needed = shapes(config)
    wrong = [name for name, shape in needed.items() if name in tensors and tuple(tensors[name].shape) != shape]
    missing = sorted(needed.keys() - tensors.keys())
    extra = sorted(tensors.keys() - needed.keys() - IGNORED)
    if wrong or missing or extra:
        msg = f"{folder / 'model.safetensors'}: missing {missing}, misshapen {wrong}, unexpected {extra}"
        raise ValueError(msg)
    return config, {name: tensors[name] for name in needed}


def untrained(config: Mapping[str, Any], seed: int) -> Tensors:
    """Return freshly initialised tensors: N(0, 0.02) weights, zero biases, unit norms, as BERT starts."""
    generator = torch.Generator().manual_seed(seed)
    tensors: Tensors = {}
    for name, shape in shapes(config).items():
        if name.endswith("bias"):
            tensors[name] = torch.zeros(shape)
        elif "LayerNorm" in name:
            tensors[name] = torch.ones(shape)
        else:
            std = config["initializer_range"]
            tensors[name] = torch.normal(0.0, std, shape, generator=generator)
    tensors["embeddings.word_embeddings.weight"][config["pad_token_id"]] = 0.0
    return tensors


class Encoder:
    """BERT's encoder as a function of token ids.

    Parameters
    ----------
    config
        The checkpoint's ``config.json``.
    tensors
        Weights by name, as :func:`load` and :func:`untrained` return them.
    device
        Where to run.
    dtype
        Type of the matrix products; norms and the residual stream stay float32.
    """

    def __init__(self, config: Mapping[str, Any], tensors: Tensors, device: torch.device, dtype: torch.dtype) -> None:
        self.config = config
        self.device = device
        self.dtype = dtype
        self.heads: int = config["num_attention_heads"]
        self.eps: float = config["layer_norm_eps"]
        self.tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
        for layer in range(config["num_hidden_layers"]):
            self._prepare(f"encoder.layer.{layer}.")

    def _prepare(self, prefix: str) -> None:
        """Join query, key and value into one product and cast the matrices once."""
        for kind in ("weight", "bias"):
            parts = [self.tensors.pop(f"{prefix}attention.self.{name}.{kind}") for name in ("query", "key", "value")]
            self.tensors[f"{prefix}attention.qkv.{kind}"] = torch.cat(parts)
        for name, tensor in self.tensors.items():
            if name.startswith(prefix) and "LayerNorm" not in name:
                self.tensors[name] = tensor.to(self.dtype)

    def mean_pooled(
        self, tokens: list[npt.NDArray[np.int64]]
    ) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]]:
        """Yield (positions, mean over tokens of the last layer) for batches of sequences of equal length.

        On the CPU as many batches at a time as there are threads, each on one: nobody waits for anybody.

        Parameters
        ----------
        tokens
            Token ids of each sequence.
        """

        def pooled(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
            ids = torch.from_numpy(np.stack([tokens[row] for row in rows])).to(self.device)
            with torch.inference_mode():
                mean: npt.NDArray[np.float32] = self.hidden(ids).mean(dim=1).cpu().numpy()
            return mean

        on_cpu = self.device.type == "cpu"
        alike = list(_of_equal_length(tokens, TOKENS_PER_BATCH if on_cpu else GPU_TOKENS_PER_BATCH))
        if not on_cpu:
            yield from zip(alike, map(pooled, alike), strict=True)
            return
        with one_thread_each() as n_threads, ThreadPoolExecutor(n_threads) as pool:
            yield from zip(alike, pool.map(pooled, alike), strict=True)

    @torch.inference_mode()
    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the last hidden state (B, T, d), float32, of token ids (B, T) without padding."""
        t = self.tensors
        x = t["embeddings.word_embeddings.weight"][ids]  # (B, T, d)
        x = x + t["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = x + t["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            x = self._block(x, f"encoder.layer.{layer}.")
        return x

    def _block(self, x: torch.Tensor, prefix: str) -> torch.Tensor:
        b, t, d = x.shape
        qkv = self._linear(x, f"{prefix}attention.qkv")  # (B, T, 3d)
        q, k, v = qkv.view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # each (B, h, T, d/h)
        attended = _attend(q, k, v).transpose(1, 2).reshape(b, t, d)
        attended = self._linear(attended, f"{prefix}attention.output.dense")
        x = self._norm(x + attended, f"{prefix}attention.output.LayerNorm")
        inner = F.gelu(self._linear(x, f"{prefix}intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x.to(self.dtype), self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.layer_norm(x.float(), (x.shape[-1],), weight, bias, self.eps)


def _of_equal_length(tokens: list[npt.NDArray[np.int64]], budget: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the positions of sequences of one length, as many as a batch of ``budget`` tokens holds."""
    lengths = np.array([len(ids) for ids in tokens])
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        size = max(1, budget // int(length))
        yield from (same[start : start + size] for start in range(0, len(same), size))


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return softmax(q k' / sqrt(d)) v; each (B, h, T, d)."""
    if q.device.type != "cpu" or q.dtype == torch.float32:
        return F.scaled_dot_product_attention(q, k, v)
    # on CPUs the fused kernel is slow for short sequences and small heads in bfloat16: this takes under half the time
    scores = q.contiguous() @ k.transpose(-1, -2).contiguous()
    softmax_in_place(scores, q.shape[-1] ** -0.5)
    return scores @ v.contiguous()

"""Weights that any machine draws alike, for golden files: NumPy's PCG64, uniform, of a transformer's usual size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch


def drawn_state(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    """Return a tensor for each name: norms' weights around 1, everything else around 0."""
    generator = np.random.Generator(np.random.PCG64(seed))
    state = {}
    for name, size in shapes.items():
        values = generator.random(size, dtype=np.float32) - np.float32(0.5)
        is_scale = "norm" in name.lower() and name.endswith("weight")
        state[name] = torch.from_numpy(1 + values / 2 if is_scale else values / 8)
    return state


def with_batch_norms(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the state with the scale and the variance of each batch norm around 1; it has the name ``BLOCK.2``."""
    scales = (".2.weight", ".2.running_var")
    return {name: 1 + 4 * each if name.endswith(scales) and each.ndim == 1 else each for name, each in state.items()}


def genes_in_order(symbols: list[str], size: int) -> list[str]:
    """Return distinct symbols and names of no gene, sorted as published vocabularies are, ``size`` in all."""
    names = sorted(set(symbols))[:size]
    return sorted((*names, *(f"NO_GENE_{place}" for place in range(size - len(names)))))

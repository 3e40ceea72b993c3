"""scVI's encoder as arrays: what it learnt in training is kept without scvi-tools, and applied without it.

Each hidden layer is a product with weights, batch normalisation by the statistics of the training, and what is above 0
of that; normalisation is folded into the weights. The encoder sees no batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Doubles = npt.NDArray[np.float64]
N_ARRAYS = 6  # weights and offsets of two hidden layers and of the mean


def weights_of(model: Any) -> tuple[Doubles, ...]:
    """Return weights (n_in, n_out) and offsets (n_out,) of each layer of the encoder of an ``scvi.model.SCVI``."""
    encoder = model.module.z_encoder
    arrays = []
    for layer in encoder.encoder.fc_layers:
        linear, norm = layer[0], layer[1]
        weight, bias, gain, shift, mean, variance = (
            tensor.detach().cpu().numpy().astype(np.float64)
            for tensor in (linear.weight, linear.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        scale = gain / np.sqrt(variance + norm.eps)
        arrays += [weight.T * scale, (bias - mean) * scale + shift]
    last = encoder.mean_encoder
    arrays += [
        last.weight.detach().cpu().numpy().T.astype(np.float64),
        last.bias.detach().cpu().numpy().astype(np.float64),
    ]
    return tuple(np.ascontiguousarray(array) for array in arrays)


def encode(weights: Sequence[npt.NDArray[Any]], counts: sp.csr_matrix) -> npt.NDArray[np.float32]:
    """Return the posterior means of cells, float32 (n_cells, 30).

    Parameters
    ----------
    weights
        As :func:`weights_of` gives them.
    counts
        Of the genes that it was trained on, (n_cells, n_in).
    """
    rows: Any = counts.astype(np.float64).log1p()
    *hidden, (weight, offset) = zip(weights[::2], weights[1::2], strict=True)
    for each, shift in hidden:
        rows = np.maximum(rows @ each + shift, 0)
    return np.asarray(rows @ weight + offset, dtype=np.float32)

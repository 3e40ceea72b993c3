"""scVI trains on a GPU, where scvi-tools is installed beside one."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from zsgate.baselines.scvi import training as scvi_training
from zsgate.baselines.scvi.training import Job, train


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_a_training_on_the_gpu(monkeypatch):
    """Finite latents of every cell, in as many epochs as were asked for, each of them reported."""
    pytest.importorskip("scvi")
    monkeypatch.setattr(scvi_training, "schedule", lambda *_: {"max_epochs": 3})
    counts = sp.csr_matrix(np.random.default_rng(0).poisson(1, (300, 200)).astype(np.float32))
    told = []
    latent, epochs, _ = train(Job(counts, np.arange(0, 200, 2), None, 0, "levels_off", "cuda"), lambda: told.append(1))
    assert (latent.shape, latent.dtype) == ((300, 30), np.float32)
    assert np.isfinite(latent).all()
    assert (epochs, len(told)) == (3, 3)

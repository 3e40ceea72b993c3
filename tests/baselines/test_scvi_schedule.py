"""The quick tier's shorter scVI is as good as the paper's 400 epochs."""

from __future__ import annotations

import numpy as np
import pytest

from zsgate.baselines import scvi
from zsgate.metrics import avg_bio


@pytest.mark.slow
def test_stopping_early_costs_less_than_two_hundredths(pancreas, monkeypatch):
    """AvgBIO of the quick schedule is within 0.02 of 400 epochs on the same genes, both over 3 seeds."""
    short, notes = scvi.embed(pancreas, seeds=3, quick=True)
    assert all(100 <= epochs < 250 for epochs in notes["epochs"])
    monkeypatch.setattr(scvi, "schedule", lambda *_: {"max_epochs": 400})
    long = [scvi.train(scvi_job) for scvi_job in _jobs(pancreas)]

    of_short = np.mean([avg_bio(draw, pancreas).value for draw in short])
    of_long = np.mean([avg_bio(latent, pancreas).value for latent, _ in long])
    assert all(epochs == 400 for _, epochs in long)
    assert abs(of_short - of_long) < 0.02, (of_short, of_long)


def _jobs(dataset):
    from zsgate.data.preprocess import highly_variable

    genes = highly_variable(dataset)
    return [(dataset.counts, genes, dataset.batches, seed, True) for seed in range(3)]

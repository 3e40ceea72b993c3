"""Pretraining learns, repeats, and sees no cell that the model is judged on."""

from __future__ import annotations

import numpy as np
import pytest

from isletgpt import data
from isletgpt.checkpoint import load, save
from isletgpt.pretrain import Plan, pretrain


def test_the_loss_falls(trained):
    """The last five of 20 steps have a smaller one than the first five."""
    _, losses = trained
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_a_seed_repeats():
    """Two runs give the same weights to the last bit, and another seed does not."""
    first, again, other = (pretrain(Plan(steps=2, seed=seed))[0].network.state_dict() for seed in (3, 3, 4))
    assert all((again[name] == tensor).all() for name, tensor in first.items())
    assert any((other[name] != tensor).any() for name, tensor in first.items())


def test_nobody_judged_is_trained_on(trained):
    """No donor and no cell is on both sides; both sides have all four studies."""
    seen, judged = data.pretraining_cells(), data.judged_cells()
    assert not set(seen.obs_names) & set(judged.obs_names)
    assert not set(seen.obs["donor"]) & set(judged.obs["donor"])
    assert set(seen.obs["study"]) == set(judged.obs["study"])
    assert len(seen) + len(judged) == 3274
    assert trained[0].record.donors == sorted(set(seen.obs["donor"]))


def test_a_checkpoint_comes_back(trained, tmp_path):
    """Weights, vocabulary and record are those that were written."""
    save(trained[0], tmp_path / "new" / "x.safetensors")
    again = load(tmp_path / "new" / "x.safetensors")
    assert (again.vocabulary, again.record) == (trained[0].vocabulary, trained[0].record)
    for name, tensor in trained[0].network.state_dict().items():
        assert (again.network.state_dict()[name] == tensor).all()


def test_without_a_checkpoint_the_command_is_named(tmp_path):
    """Who has not trained yet is told how."""
    with pytest.raises(FileNotFoundError, match=r"python -m isletgpt\.pretrain --out"):
        load(tmp_path / "none.safetensors")

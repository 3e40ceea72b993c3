"""Untrained twins are drawn by seed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from zsgate.models.adapter import ModelInfo


def test_twins_are_drawn_by_seed(few_cells):
    """random_init asks the candidate for one twin a seed, in order, and says which."""
    from zsgate.baselines import random_init

    class Twin:
        def __init__(self, seed):
            self.seed = seed

        def embed(self, dataset):
            return np.random.default_rng(self.seed).normal(size=(dataset.n_cells, 2)).astype(np.float32)

    class Candidate:
        info = ModelInfo(name="mine")

        def random_init(self, seed):
            return Twin(seed)

    draws, notes = random_init.embed(few_cells, candidate=Candidate(), seeds=3)
    assert notes == {"seeds": [0, 1, 2]}
    for seed, draw in enumerate(draws):
        np.testing.assert_array_equal(draw, Twin(seed).embed(few_cells))


def test_twins_that_ignore_their_seed_are_noticed(few_cells):
    """Twins that embed alike would pass for several draws without any spread: an error that names the model."""
    from zsgate.baselines import random_init

    rows = np.random.default_rng(0).normal(size=(few_cells.n_cells, 3))
    twin = SimpleNamespace(embed=lambda dataset: rows)
    candidate = SimpleNamespace(info=ModelInfo(name="deaf"), random_init=lambda seed: twin)

    with pytest.raises(ValueError, match=r"deaf: random_init\(0\) and random_init\(1\) embed every cell alike"):
        random_init.embed(few_cells, candidate=candidate, seeds=5)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (lambda n: np.ones((n, 3)), "the same row for all"),
        (
            lambda n: np.eye(2)[np.arange(n) % 2],
            "2 different rows for 240 cells: that is no untrained model",
        ),
        (lambda n: np.full((n, 3), np.nan), "NaN or infinite values"),
    ],
)
def test_twins_that_are_no_embedding_break(few_cells, rows, says):
    """Constant, of two kinds, NaN: an error, whatever the candidate makes of it."""
    from zsgate.baselines import random_init

    twin = SimpleNamespace(embed=lambda dataset: rows(dataset.n_cells))
    candidate = SimpleNamespace(info=ModelInfo(name="mine"), random_init=lambda seed: twin)
    with pytest.raises(ValueError, match=says):
        random_init.embed(few_cells, candidate=candidate, seeds=1)

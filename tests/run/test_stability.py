"""Candidate checks: what moves is measured, what moves far is refused, and moves reach the scores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from zsgate.metrics import asw
from zsgate.models.adapter import ModelInfo
from zsgate.models.embedding import Embedding
from zsgate.run.stability import BATCH, SHARD, check, shift

WHAT = ["in another shard", "in a batch of another size", "a second time", "in another order"]


INFO = ModelInfo(name="model")


@dataclass
class Model:
    """Log counts of 30 genes; ``way`` says how it fails to give the same row again, ``size`` by how much."""

    way: str = ""
    size: float = 0.0
    info: ModelInfo = INFO
    fingerprint: str | None = None
    calls: list[int] = field(default_factory=list)

    def embed(self, dataset):
        """Return one row a cell."""
        self.calls.append(dataset.n_cells)
        rows = np.log1p(dataset.counts[:, :3000].toarray())[:, ::100].astype(np.float32)
        if self.way == "a second time":
            return rows + self.size * len(self.calls)
        if self.way == "in another order":
            return rows + self.size * np.arange(len(rows))[:, None].astype(np.float32)
        if self.way == "in a batch of another size":
            return rows + self.size * (len(rows) == BATCH)
        if self.way == "in another shard":
            return rows + self.size * (len(rows) > SHARD)
        return rows


def test_a_steady_model_moves_nothing_and_costs_little(few_cells):
    """Four checks, no move; 112 cells are embedded again."""
    model = Model()
    rows = model.embed(few_cells)
    found = check(model, rows, few_cells)

    assert [each["check"] for each in found] == WHAT
    assert [each["moved"] for each in found] == [0.0] * 4
    assert sum(model.calls[1:]) == SHARD + 3 * BATCH
    assert shift(asw, replace(Embedding.of(rows), notes={"checks": found}), few_cells) == 0


@pytest.mark.parametrize("way", WHAT)
def test_each_way_of_moving_is_found_and_refused(few_cells, way):
    """A small move is measured by its check; a large one is refused in words that say which."""
    small = Model(way, 1e-4)
    found = {each["check"]: each["moved"] for each in check(small, small.embed(few_cells), few_cells)}
    assert found[way] > 1e-4
    large = Model(way, 10.0)
    with pytest.raises(ValueError, match="embeds the same cell differently"):
        check(large, large.embed(few_cells), few_cells)


@pytest.mark.parametrize("declared", [{"independent_cells": False}, {"stochastic": True}])
def test_a_model_that_says_so_is_not_checked(few_cells, declared):
    """What looks across cells or draws chance is expected to move."""
    model = Model("a second time", 10.0, info=ModelInfo(name="model", **declared))
    assert check(model, model.embed(few_cells), few_cells) == []


def test_moves_reach_the_score(few_cells):
    """The farther rows move, the farther the score does; below a ten-thousandth of the distance nothing counts."""
    rows = Model().embed(few_cells)

    def moved(typical):
        notes = {"checks": [{"moved": typical, "typical": typical, "apart": 1.0}]}
        return shift(asw, replace(Embedding.of(rows), notes=notes), few_cells)

    assert moved(1e-5) == 0
    assert 0 < moved(0.01) < moved(1.0) < moved(100.0)

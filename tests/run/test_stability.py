"""Candidate checks: what moves is measured, what moves far is refused, and moves reach the scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from zsgate.metrics import asw
from zsgate.models.adapter import ModelInfo
from zsgate.models.embedding import Embedding
from zsgate.run.checks.shift import shift
from zsgate.run.checks.stability import BATCH, CHANCE, SHARD, check, embed

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
    found = check(model, [rows], few_cells)

    assert [each["check"] for each in found] == WHAT
    assert [each["moved"] for each in found] == [0.0] * 4
    assert sum(model.calls[1:]) == SHARD + 3 * BATCH
    assert shift(asw, replace(Embedding.of(rows), notes={"checks": found}), few_cells) == 0


@pytest.mark.parametrize("way", WHAT)
def test_each_way_of_moving_is_found_and_refused(few_cells, way):
    """A small move is measured by its check; a large one is refused in words that say which."""
    small = Model(way, 1e-4)
    found = {each["check"]: each["moved"] for each in check(small, [small.embed(few_cells)], few_cells)}
    assert found[way] > 1e-4
    large = Model(way, 10.0)
    with pytest.raises(ValueError, match="embeds the same cell differently"):
        check(large, [large.embed(few_cells)], few_cells)


@dataclass
class Rounded(Model):
    """Rows of norm 1 that share a large part, as an untrained network's; who is embedded beside them moves them."""

    spread: float = 0.01

    def embed(self, dataset):
        """Return one row a cell, moved in a direction of the cell's and the batch's own."""
        own = super().embed(dataset)
        rows = own * self.spread
        rows[:, 0] += 1
        for row, cell in zip(rows, dataset.cell_ids, strict=True):
            seed = [len(rows), int.from_bytes(cell.encode()[-6:], "little")]
            step = np.random.default_rng(seed).standard_normal(30)
            row += self.size * step / np.linalg.norm(step)
        return rows


def test_what_a_bfloat16_rounds_is_no_reason_to_refuse(few_cells):
    """Measured on an H200 of an untrained scGPT: 0.008 of rows of norm 1 that are 0.03 apart. It reaches the scores."""
    model = Rounded(size=0.004)
    rows = model.embed(few_cells)
    found = check(model, [rows], few_cells)
    assert max(each["moved"] / each["apart"] for each in found) > 0.2
    assert shift(asw, replace(Embedding.of(rows), notes={"checks": found}), few_cells) > 0


def test_rows_that_rounding_could_take_for_others_are_refused(few_cells):
    """The sentence says what may help; rows of the wrong cells and larger moves are refused without it."""
    near = Rounded(size=0.004, spread=0.003)
    with pytest.raises(ValueError, match="a bfloat16 rounds as much of such rows"):
        check(near, [near.embed(few_cells)], few_cells)
    with pytest.raises(ValueError, match=r"independent_cells = False$"):
        check(Rounded(size=0.05), [Rounded(size=0.05).embed(few_cells)], few_cells)


@pytest.mark.parametrize("chance", [False, True])
def test_what_is_not_checked_is_said(few_cells, chance):
    """Who looks across cells, or has too few, is not embedded again, and the notes have the reason in words."""
    across = Model("a second time", 1e-3, info=ModelInfo(name="m", independent_cells=False, stochastic=chance))
    rows, notes = embed(across, few_cells)
    assert (len(rows), notes["checks"], across.calls) == (1, [], [240])
    assert notes["unchecked"] == "it says that it looks across cells (independent_cells = False)"
    _, notes = embed(Model(), few_cells.subset(np.arange(SHARD)))
    assert notes == {"checks": [], "unchecked": "the dataset has 64 cells, and more than 64 are needed"}
    assert "unchecked" not in embed(Model(), few_cells)[1]


CHANCY = ModelInfo(name="chancy", stochastic=True)


@dataclass
class Chancy(Model):
    """Log counts and normal noise, anew in each call; ``deal`` gives the order in which a call returns its rows."""

    info: ModelInfo = CHANCY
    deal: Callable[[np.random.Generator, np.ndarray], np.ndarray] = lambda generator, names: np.arange(len(names))
    n_draws: int = 3
    seed: int = 0

    def embed(self, dataset):
        """Return one row a cell, as another call would not."""
        self.seed += 1
        generator = np.random.default_rng(self.seed)
        rows = super().embed(dataset)
        rows += (self.size * generator.standard_normal(rows.shape)).astype(np.float32)
        return rows[self.deal(generator, dataset.cell_ids)]

    def repeats(self):
        """Return itself once a draw."""
        return (self,) * self.n_draws


@pytest.mark.parametrize("size", [0.0, 1e-3, 0.05, 0.15])
@pytest.mark.parametrize("seed", range(5))
def test_chance_may_move_rows(few_cells, size, seed):
    """An honest sampler passes, with little noise or much; its moves are recorded beside those of the same call."""
    rows, notes = embed(Chancy(size=size, seed=seed), few_cells)
    assert [each["check"] for each in notes["checks"]] == ["in another draw", "in another draw", *WHAT]
    for each in notes["checks"]:
        assert each["moved"] <= 0.1 * each["apart"] + CHANCE * each["chance"]
        assert (each["chance"] > 0) == (size > 0)
    several = Embedding(tuple(rows), notes=notes)
    assert shift(asw, several, few_cells) == 0  # its spread is in the interval
    alone = replace(several, draws=several.draws[:1])
    assert (shift(asw, alone, few_cells) > 0) == (size > 0)


def shuffled(generator, names):
    return generator.permutation(len(names))


def sorted_by_name(generator, names):
    return np.argsort(names)


def turned(generator, names):
    return np.roll(np.arange(len(names)), 1)


@pytest.mark.parametrize("n_draws", [1, 3])
@pytest.mark.parametrize("size", [0.0, 0.05, 0.15, 0.3])
@pytest.mark.parametrize("deal", [shuffled, sorted_by_name, turned])
def test_chance_is_no_cover_for_rows_in_another_order(few_cells, deal, size, n_draws):
    """Rows dealt out anew, or by a rule that depends on the company, are refused however noisy the model is."""
    with pytest.raises(ValueError, match="embeds the same cell differently"):
        embed(Chancy(size=size, deal=deal, n_draws=n_draws), few_cells)


def test_draws_dealt_out_anew_are_refused_across_cells_as_well(few_cells):
    """A model that looks across cells is not embedded again, but its draws must agree on which row is whose."""
    across = ModelInfo(name="m", stochastic=True, independent_cells=False)
    assert len(embed(Chancy(size=0.05, info=across), few_cells)[1]["checks"]) == 2
    with pytest.raises(ValueError, match="as far from other cells' rows as from their own"):
        embed(Chancy(deal=shuffled, info=across), few_cells)


def test_pure_chance_is_refused(few_cells):
    """Where noise outweighs all that tells cells apart, order cannot be seen, and nothing is let through."""
    with pytest.raises(ValueError, match="or chance outweighs all that tells cells apart"):
        embed(Chancy(size=100.0), few_cells)


def test_moves_reach_the_score(few_cells):
    """The farther rows move, the farther the score does; below a ten-thousandth of the distance nothing counts."""
    rows = Model().embed(few_cells)

    def moved(typical):
        notes = {"checks": [{"moved": typical, "typical": typical, "apart": 1.0}]}
        return shift(asw, replace(Embedding.of(rows), notes=notes), few_cells)

    assert moved(1e-5) == 0
    assert 0 < moved(0.01) < moved(1.0) < moved(100.0)

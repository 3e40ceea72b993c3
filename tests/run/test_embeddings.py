"""Embeddings of a run are made as often as their source draws chance, and kept apart by what was read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.metrics import asw
from zsgate.models.adapter import ModelInfo
from zsgate.run import embeddings
from zsgate.run.embeddings import Scoring
from zsgate.run.ledger import Ledger
from zsgate.system.store import Store
from zsgate.verdict.recipe import DEFAULT

SCORING = Scoring(DEFAULT, clusterings=5)


@dataclass(frozen=True)
class Sampling:
    """A model whose rows are expression plus noise of a seed, embedded with several of them."""

    draws: int
    seed: int = 0
    reading: str = ""
    stochastic: bool = True
    lasts: bool = True
    keyed: bool = True

    @property
    def info(self) -> ModelInfo:
        """Return a bare card."""
        return ModelInfo(name="sampling", stochastic=self.stochastic)

    @property
    def fingerprint(self) -> str | None:
        """Return what tells the draws apart."""
        return f"sampling {self.seed}" if self.lasts else None

    def embed(self, dataset: Dataset) -> np.ndarray:
        """Return 200 genes and noise of the cell and the seed, or of each call."""
        keys = [[self.seed, *cell.encode()] for cell in dataset.cell_ids.tolist()]
        generators = [np.random.default_rng(key if self.keyed else None) for key in keys]
        noise = 0.15 * np.array([each.normal(size=200) for each in generators])
        return (np.log1p(dataset.counts[:, :200].toarray()) + noise).astype(np.float32)

    def repeats(self) -> tuple[Sampling, ...]:
        """Return one of each seed."""
        return tuple(replace(self, seed=seed) for seed in range(self.draws))

    def reads(self, dataset: Dataset) -> str:
        """Return what it was made to say."""
        return self.reading


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Store(tmp_path / "store"), Store(tmp_path / "run"))


def test_a_sampling_model_s_score_is_the_mean_over_its_draws(ledger: Ledger, few_cells: Dataset) -> None:
    """Each draw is embedded once, the score is their mean, and their spread is known."""
    model = Sampling(draws=3)
    embedding = embeddings.of_model("sampling", model, few_cells, ledger, SCORING)
    assert len(embedding.draws) == 3
    alone = [asw(each.embed(few_cells), few_cells.cell_types).value for each in model.repeats()]
    score = asw(embedding, few_cells)
    assert score.value == pytest.approx(np.mean(alone), abs=1e-6)
    assert score.draws == pytest.approx(alone, abs=1e-6)
    assert len({*alone}) == 3


def test_another_x_is_another_embedding() -> None:
    """What is kept of a model that reads X of a file is not taken for that of another X."""
    dataset = load("pancreas_hormone2cell").subset(np.arange(30))
    assert dataset.expression is not None
    assert embeddings.expression_read(Sampling(1), dataset) is None
    there = embeddings.expression_read(Sampling(1, reading="X"), dataset)
    assert there == dataset.expression.identity
    assert embeddings.expression_read(Sampling(1, reading="X"), dataset.subset(np.arange(29))) != there


def test_rows_that_were_kept_unchecked_are_not_taken_for_checked_ones(
    ledger: Ledger, few_cells: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that no longer calls itself stochastic is checked; so is one when the checks are of other code."""

    def cached(stochastic: bool) -> bool:
        model = Sampling(1, stochastic=stochastic, keyed=False)
        embeddings.of_model("sampling", model, few_cells, ledger, SCORING)
        return ledger.timings[-1].cached

    assert [cached(stochastic=True), cached(stochastic=True)] == [False, True]
    with pytest.raises(ValueError, match="embeds the same cell differently in another shard"):
        cached(stochastic=False)
    monkeypatch.setattr(embeddings, "code_of", lambda *modules: "other code")
    assert [cached(stochastic=True), cached(stochastic=True)] == [False, True]


@pytest.mark.parametrize("lasts", [True, False])
def test_only_what_has_a_fingerprint_is_served_to_later_runs(
    ledger: Ledger, few_cells: Dataset, tmp_path: Path, lasts: bool
) -> None:
    """The workers of one run share what has none; the next run makes it anew."""
    next_run = Ledger(ledger.lasting, Store(tmp_path / "next run"))
    for each in (ledger, ledger, next_run):
        embeddings.of_model("sampling", Sampling(1, lasts=lasts), few_cells, each, SCORING)
    assert [timing.cached for timing in ledger.timings] == [False, True]
    assert [timing.cached for timing in next_run.timings] == [lasts]


@dataclass(frozen=True)
class Counting:
    """A packaged kind of model: it keeps count of the cells that it is given, and may be killed by one of them."""

    given: list[tuple[str, int]]
    killed_by: str = ""
    who: str = "trained"
    independent: bool = True

    @property
    def info(self) -> ModelInfo:
        """Return a bare card."""
        return ModelInfo(name="counting", independent_cells=self.independent)

    @property
    def fingerprint(self) -> str:
        """Return what tells it from other models."""
        return "counting"

    def embed(self, dataset: Dataset) -> np.ndarray:
        """Return 50 genes, or end like a process that is killed."""
        if self.killed_by in dataset.cell_ids.tolist():
            raise KeyboardInterrupt
        self.given.append((self.who, dataset.n_cells))
        drawn = np.random.default_rng([*self.who.encode()]).normal(size=(50, 20))
        return (np.log1p(dataset.counts[:, :50].toarray()) @ drawn).astype(np.float32)

    def random_init(self, seed: int) -> Counting:
        """Return another projection."""
        return replace(self, who=f"twin {seed}")


class _Fails(Counting):
    """One whose twin of a seed ends the run."""

    def __init__(self, given, at):
        super().__init__(given)
        object.__setattr__(self, "at", at)

    def random_init(self, seed):
        """Return the twin of a seed, or end like a process that is killed."""
        if seed == self.at:
            raise KeyboardInterrupt
        return Counting(self.given, who=f"twin {seed}")


def test_shards_that_were_embedded_stay_embedded(ledger, few_cells, monkeypatch):
    """A run that ends in the third shard goes on with that one, and comes to the rows of a single call."""
    monkeypatch.setattr("zsgate.models.embedding.SHARD", 80)  # of 240 cells
    killed, again = Counting([], killed_by=str(few_cells.cell_ids[-1])), Counting([])
    with pytest.raises(KeyboardInterrupt):
        embeddings.of_model("counting", killed, few_cells, ledger, SCORING)
    assert killed.given == [("trained", 80)] * 2
    found = embeddings.of_model("counting", again, few_cells, ledger, SCORING)
    assert again.given[0] == ("trained", 80)
    assert ("trained", few_cells.n_cells) not in again.given
    assert [n for _, n in again.given if n == 80] == [80]  # the others are few cells of the checks
    np.testing.assert_array_equal(found.draws[0], again.embed(few_cells))
    assert not list((ledger.lasting.folder / "part").glob("*.npz"))


def test_twins_that_were_embedded_stay_embedded(ledger, few_cells):
    """Of three twins the ones that are done are not asked again."""
    candidate = Counting([])
    settings = {"seeds": 3}
    maker = embeddings.BaselineMaker.of("random_init", candidate, settings)
    failing = embeddings.BaselineMaker.of("random_init", _Fails(candidate.given, at=2), settings)
    with pytest.raises(KeyboardInterrupt):
        embeddings.of_baseline("random_init", failing, few_cells, ledger, SCORING)
    assert candidate.given == [("twin 0", 240), ("twin 1", 240)]
    found = embeddings.of_baseline("random_init", maker, few_cells, ledger, SCORING)
    assert candidate.given[2:] == [("twin 2", 240)]
    assert len(found.draws) == 3


def test_who_looks_across_cells_is_given_all_of_them(ledger, few_cells, monkeypatch):
    """No shard of cells is what such a model was asked for."""
    monkeypatch.setattr("zsgate.models.embedding.SHARD", 80)
    model = Counting([], independent=False)
    embeddings.of_model("counting", model, few_cells, ledger, SCORING)
    assert model.given == [("trained", 240)]

"""Embeddings of a run are made as often as their source draws chance, and kept apart by what was read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from zsgate.config.config import Config
from zsgate.data.catalogue.load import load
from zsgate.data.dataset import Dataset
from zsgate.metrics import asw
from zsgate.models.adapter import ModelInfo
from zsgate.run import embeddings as making
from zsgate.run.run import Trial
from zsgate.system.store import Store


@dataclass(frozen=True)
class Sampling:
    """A model whose rows are expression plus noise of a seed, embedded with several of them."""

    draws: int
    seed: int = 0
    reading: str = ""
    stochastic: bool = True

    @property
    def info(self) -> ModelInfo:
        """Return a bare card."""
        return ModelInfo(name="sampling", stochastic=self.stochastic)

    @property
    def fingerprint(self) -> str:
        """Return what tells the draws apart."""
        return f"sampling {self.seed}"

    def embed(self, dataset: Dataset) -> np.ndarray:
        """Return 20 genes and noise."""
        noise = np.random.default_rng(self.seed).normal(size=(dataset.n_cells, 20))
        return (np.log1p(dataset.counts[:, :20].toarray()) + noise).astype(np.float32)

    def repeats(self) -> tuple[Sampling, ...]:
        """Return one of each seed."""
        return tuple(replace(self, seed=seed) for seed in range(self.draws))

    def reads(self, dataset: Dataset) -> str:
        """Return what it was made to say."""
        return self.reading


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(Config(model="sampling"), tmp_path, Store(tmp_path / "store"), Store(tmp_path / "run"))


def test_a_sampling_model_s_score_is_the_mean_over_its_draws(trial: Trial, few_cells: Dataset) -> None:
    """Each draw is embedded once, the score is their mean, and their spread is known."""
    trial.__dict__["adapter"] = model = Sampling(draws=3)
    embedding = making.embedding(trial, "sampling", few_cells)
    assert len(embedding.draws) == 3
    alone = [asw(each.embed(few_cells), few_cells.cell_types).value for each in model.repeats()]
    score = asw(embedding, few_cells)
    assert score.value == pytest.approx(np.mean(alone), abs=1e-6)
    assert score.draws == pytest.approx(alone, abs=1e-6)
    assert len({*alone}) == 3


def test_another_x_is_another_embedding(trial: Trial) -> None:
    """What is kept of a model that reads X of a file is not taken for that of another X."""
    dataset = load("pancreas_hormone2cell").subset(np.arange(30))
    assert making.beside(Sampling(1), dataset) is None
    there = making.beside(Sampling(1, reading="X"), dataset)
    assert there == dataset.expression.identity
    assert making.beside(Sampling(1, reading="X"), dataset.subset(np.arange(29))) != there


def test_rows_that_were_kept_unchecked_are_not_taken_for_checked_ones(
    trial: Trial, few_cells: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that no longer calls itself stochastic is checked; so is one when the checks are of other code."""

    def cached(stochastic: bool) -> bool:
        trial.__dict__["adapter"] = Sampling(1, stochastic=stochastic)
        making.embedding(trial, "sampling", few_cells)
        return trial.timings[-1]["cached"]

    assert [cached(stochastic=True), cached(stochastic=True)] == [False, True]
    with pytest.raises(ValueError, match="embeds the same cell differently in another shard"):
        cached(stochastic=False)
    monkeypatch.setattr(making, "code_of", lambda *modules: "other code")
    assert [cached(stochastic=True), cached(stochastic=True)] == [False, True]

"""Poorer cells are embedded by whoever embedded the cells, by what it learnt of these, each once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zsgate.baselines import hvg, pca
from zsgate.config.config import Config
from zsgate.data.catalogue.sample import draw_within_donors
from zsgate.errors import CandidateFailed
from zsgate.metrics.robustness.metric import ROBUSTNESS, ambient, depth
from zsgate.run.changed import copies
from zsgate.run.ledger import Ledger
from zsgate.run.run import Run
from zsgate.system.store import Store

MODEL = """
import numpy as np


class Model:
    fingerprint = "1"

    def __init__(self, seed=0):
        self.seed = seed

    def embed(self, adata):
        with open("calls", "a") as log:
            log.write(f"{self.seed} {adata.n_obs}\\n")
        if self.seed == 9 and adata.n_obs == 300:
            raise RuntimeError("too poor")
        return np.log1p(adata.X @ np.random.default_rng(self.seed).exponential(size=(adata.n_vars, 8)))

    def random_init(self, seed):
        return Model(seed + 1)


class Fussy(Model):
    def __init__(self):
        super().__init__(9)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run on 1,500 cells, of which 300 are perturbed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(copies, "MOST_CELLS", 300)
    (tmp_path / "copied.py").write_text(MODEL)
    return made(tmp_path, "copied:Model")


def made(folder: Path, model: str) -> Run:
    config = Config(model=model, datasets=("pancreas_quick",))
    return Run(config, folder, Ledger(Store(folder / "store"), Store(folder / "run")))


def test_baselines_apply_what_they_learnt_of_all_cells(run: Run) -> None:
    """HVG's genes and PCA's axes are those of all 1,500 cells; the originals are rows of their own embeddings."""
    dataset = run.dataset("pancreas_quick")
    rows = draw_within_donors(dataset, 300)
    poorer = depth.perturbation(dataset.subset(rows))
    for name, module in {"hvg": hvg, "pca": pca}.items():
        kept: list[np.ndarray] = []
        (whole,), _ = module.embed(dataset, keep=kept.extend)
        found = run.method(name).copies(dataset, depth)
        np.testing.assert_array_equal(found.originals.draws[0], whole[rows])
        np.testing.assert_array_equal(found.perturbed.draws[0], module.project(kept, poorer)[0])
        assert found.dataset.cells_digest == dataset.subset(rows).cells_digest


def test_what_was_learnt_is_learnt_again_if_it_is_lost(run: Run, tmp_path: Path) -> None:
    """The store keeps it with the embedding; without it the same rows come of learning anew."""
    dataset = run.dataset("pancreas_quick")
    before = run.method("hvg").copies(dataset, depth).perturbed.draws[0]
    (kept,) = (tmp_path / "store" / "learnt").glob("*.npz")
    kept.unlink()
    (tmp_path / "store" / "embedding").rename(tmp_path / "store" / "gone")
    again = made(tmp_path, "copied:Model")
    np.testing.assert_array_equal(again.method("hvg").copies(dataset, depth).perturbed.draws[0], before)
    assert kept.exists()


def test_a_model_and_its_twins_embed_the_poorer_cells_once(run: Run, tmp_path: Path) -> None:
    """Every twin in its turn; a second run is served from the store, and another perturbation is other cells."""
    dataset = run.dataset("pancreas_quick")
    twins = run.method("random_init").copies(dataset, depth)
    ours = run.candidate.copies(dataset, depth)
    assert (len(ours.perturbed.draws), len(twins.perturbed.draws), len(twins.originals.draws)) == (1, 3, 3)
    calls = _calls(tmp_path)
    assert sorted(call for call in calls if call.endswith(" 300")) == [f"{seed} 300" for seed in range(4)]
    later = made(tmp_path, "copied:Model")
    again = later.candidate.copies(dataset, depth)
    np.testing.assert_array_equal(again.perturbed.draws[0], ours.perturbed.draws[0])
    assert later.copies.is_kept(later.candidate, dataset, depth)
    assert not later.copies.is_kept(later.candidate, dataset, ambient)
    assert _calls(tmp_path) == calls
    assert 0 < depth(ours).value < 1


def _calls(folder: Path) -> list[str]:
    """Return the calls of models, but for those that see whether kept rows are a model's own."""
    return [call for call in (folder / "calls").read_text().splitlines() if not call.endswith(" 16")]


def test_a_candidate_that_fails_on_poorer_cells_has_failed(run: Run, tmp_path: Path) -> None:
    """In words that say on which; a second request fails at once."""
    fussy = made(tmp_path, "copied:Fussy")
    dataset = fussy.dataset("pancreas_quick")
    for _ in range(2):
        with pytest.raises(
            CandidateFailed, match="copied:Fussy failed on pancreas_quick depth: RuntimeError: too poor"
        ):
            fussy.candidate.copies(dataset, depth)
    assert (tmp_path / "calls").read_text().count(" 300") == 1


def test_all_of_them_have_a_name_together() -> None:
    """``robustness`` stands for its metrics, beside others, each once."""
    config = Config(model="m", metrics=("bras", "robustness", "depth"), require=("robustness",))
    assert config.metrics == ("bras", *ROBUSTNESS)
    assert config.require == tuple(ROBUSTNESS)

"""The draw of a recipe: scanpy's own cells, and everybody is embedded before it."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import scanpy

from zsgate.config.config import Config
from zsgate.data.catalogue.sample import scored_rows
from zsgate.run import run as trial_module
from zsgate.run.run import Trial
from zsgate.system.store import Store
from zsgate.verdict.recipe import KEDZIERSKA2023, Recipe


def test_the_cells_are_those_that_scanpy_takes():
    """The paper's code calls scanpy.pp.subsample(n_obs=7500)."""
    adata = anndata.AnnData(np.arange(16_382, dtype=np.float32)[:, None])
    scanpy.pp.subsample(adata, n_obs=KEDZIERSKA2023.cells)

    rows = scored_rows(16_382, KEDZIERSKA2023.cells)

    assert sorted(adata.X.ravel().astype(int)) == rows.tolist()


@pytest.mark.parametrize(("n_cells", "wanted"), [(7500, 7500), (240, 7500), (240, None)])
def test_few_cells_are_all_scored(n_cells, wanted):
    """No draw where none is asked for or needed."""
    assert scored_rows(n_cells, wanted) is None


def test_everybody_is_embedded_and_the_draw_is_scored(few_cells, tmp_path, monkeypatch):
    """Baselines learn from all cells; their rows are those of the cells that are scored."""
    folder = tmp_path / "embeddings"
    folder.mkdir()
    rows = np.random.default_rng(0).normal(size=(few_cells.n_cells, 3)).astype(np.float32)
    np.savez(folder / "few_cells.npz", X=rows, ids=few_cells.cell_ids)
    recipe = Recipe("kedzierska2023", cells=100)
    monkeypatch.setitem(trial_module.RECIPES, "kedzierska2023", recipe)
    config = Config(model=str(folder), recipe="kedzierska2023")
    trial = Trial(config, tmp_path, Store(tmp_path / "store"), Store(tmp_path / "run"))
    trial._datasets["few_cells"] = few_cells

    scored = trial.dataset("few_cells")
    ours, pca = (trial.embedding(who, scored) for who in (str(folder), "pca"))

    drawn = scored_rows(240, 100)
    assert scored.n_cells == 100
    assert scored.cell_ids.tolist() == few_cells.cell_ids[drawn].tolist()
    assert "100 of 240 cells are scored" in scored.card["notes"][-1]
    np.testing.assert_array_equal(ours.draws[0], rows[drawn])
    whole = resolve_pca(few_cells)
    np.testing.assert_array_equal(pca.draws[0], whole[drawn])
    assert pca.recipe is recipe


def resolve_pca(dataset):
    from zsgate.baselines import pca

    return pca.embed(dataset)[0][0]

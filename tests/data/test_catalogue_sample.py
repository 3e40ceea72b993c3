"""The draw of a recipe: scanpy's own cells, and everybody is embedded before it."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import scanpy

from zsgate.baselines import pca
from zsgate.config.config import Config
from zsgate.data.catalogue.sample import scored_rows
from zsgate.run.ledger import Ledger
from zsgate.run.run import Run
from zsgate.system.store import Store
from zsgate.verdict.recipe import KEDZIERSKA2023, RECIPES, Recipe


def test_the_cells_are_those_that_scanpy_takes():
    """The paper's code calls scanpy.pp.subsample(n_obs=7500)."""
    adata = anndata.AnnData(np.arange(16_382, dtype=np.float32)[:, None])
    scanpy.pp.subsample(adata, n_obs=KEDZIERSKA2023.scored)

    rows = scored_rows(16_382, KEDZIERSKA2023.scored)

    assert sorted(adata.X.ravel().astype(int)) == rows.tolist()


@pytest.mark.parametrize(("n_cells", "wanted"), [(7500, 7500), (240, 7500), (240, None)])
def test_few_cells_are_all_scored(n_cells, wanted):
    """No draw where none is asked for or needed."""
    assert scored_rows(n_cells, wanted) is None


def test_everybody_is_embedded_and_the_draw_is_scored(some, adata, tmp_path, monkeypatch):
    """Baselines learn from all cells; their rows are those of the cells that are scored."""
    folder = tmp_path / "embeddings"
    folder.mkdir()
    rows = np.random.default_rng(0).normal(size=(some.n_cells, 3)).astype(np.float32)
    np.savez(folder / "few_cells.npz", X=rows, ids=some.cell_ids)
    recipe = Recipe("kedzierska2023", embedded=None, scored=100)
    monkeypatch.setitem(RECIPES, "kedzierska2023", recipe)
    adata.write_h5ad(tmp_path / "few_cells.h5ad")
    file = str(tmp_path / "few_cells.h5ad")
    config = Config(model=str(folder), recipe="kedzierska2023", datasets=(file,), label="cell_type", donor="donor")
    run = Run(config, tmp_path, Ledger(Store(tmp_path / "store"), Store(tmp_path / "run")))

    scored = run.dataset("few_cells")
    ours, components = run.candidate.embed(scored), run.method("pca").embed(scored)

    drawn = scored_rows(240, 100)
    assert scored.n_cells == 100
    assert scored.cell_ids.tolist() == some.cell_ids[drawn].tolist()
    assert "100 of 240 cells are scored" in scored.notes[-1]
    np.testing.assert_array_equal(ours.draws[0], rows[drawn])
    np.testing.assert_array_equal(components.draws[0], pca.embed(some)[0][0][drawn])
    assert components.recipe is recipe

"""Principal component regression is scib's, whichever way it is computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zsgate.data.preprocess import log_normalised
from zsgate.metrics import (
    avg_batch,
    pcr,
    pcr_comparison,
)
from zsgate.metrics.embedding.pcr import explained


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_pcr_of_more_dimensions_than_components(some, adata, scib):
    """Of 120 dimensions the first 50 components count; scib's value to 1e-4, PCR comparison with the counts too."""
    dataset, _ = some
    wide = log_normalised(dataset)[:, :120].toarray()
    adata.obsm["X_wide"] = wide
    theirs = scib.metrics.pcr(adata, covariate="batch", embed="X_wide", n_comps=50)
    assert pcr(wide, dataset).value == pytest.approx(theirs, abs=1e-4)
    theirs = scib.metrics.pcr_comparison(adata, adata, covariate="batch", embed="X_emb", n_comps=50)
    assert pcr_comparison(adata.obsm["X_emb"], replace(dataset, donors=None)).value == pytest.approx(theirs, abs=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_avg_batch_is_the_papers(some, adata, scib):
    """The mean of scib's PCR comparison with X and its batch silhouette, as Kedzierska et al. 2025 define it; 1e-3."""
    dataset, rows = some
    cleared = scib.metrics.pcr_comparison(adata, adata, covariate="batch", embed="X_emb", n_comps=50, scale=True)
    mixed = scib.metrics.silhouette_batch(adata, "batch", "label", embed="X_emb", verbose=False)
    ours = avg_batch(rows, replace(dataset, donors=None))
    assert ours.value == pytest.approx((cleared + mixed) / 2, abs=1e-3)
    assert abs(cleared - mixed) > 0.05  # neither alone would do


@pytest.mark.parametrize("n_dimensions", [30, 120])
def test_pcr_from_products_is_pcr_of_the_cells(some, n_dimensions):
    """Sums and products less those of a donor give what the cells that remain give; to 1e-9."""
    dataset, _ = some
    sparse = log_normalised(dataset)[:, :n_dimensions]
    batches = np.unique(dataset.batches, return_inverse=True)[1]
    score = pcr(1000 + sparse.toarray().astype(np.float64), dataset)  # far from the origin
    assert score.value == pytest.approx(explained(sparse, batches), abs=1e-6)
    score = pcr(sparse.toarray(), dataset)
    assert score.value == pytest.approx(explained(sparse, batches), abs=1e-9)
    for unit in (0, 7, 19):
        rest = np.flatnonzero(dataset.donors != score.units[unit])
        assert score.leave_outs[unit] == pytest.approx(explained(sparse[rest], batches[rest]), abs=1e-9), unit

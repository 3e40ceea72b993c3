"""LISI and kBET are scib-metrics' own, on exact neighbours."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from zsgate.metrics import (
    METRICS,
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("scib_metrics") is None, reason="scib-metrics is not installed")
@pytest.mark.parametrize(("name", "k"), [("ilisi", 90), ("clisi", 90), ("kbet", 50)])
def test_scib_metrics_gets_the_exact_neighbours(some, name, k):
    """With everybody and without a donor what scib-metrics gives, there on scikit-learn's neighbours.

    To 1e-4; kBET, whose own search is approximate, to 0.02.
    """
    import scib_metrics
    from scib_metrics.nearest_neighbors import NeighborsResults
    from sklearn.neighbors import NearestNeighbors

    dataset, rows = some
    thirds = np.array(["a", "b", "c"])[np.unique(dataset.donors, return_inverse=True)[1] % 3]
    whole = METRICS[name](rows, replace(dataset, donors=thirds))
    rest = np.flatnonzero(thirds != "b")
    alone = METRICS[name](rows[rest], replace(dataset.subset(rest), donors=None)).value
    assert whole.leave_outs[1] == pytest.approx(alone, abs=0.02 if name == "kbet" else 1e-5)

    labels, batches = (np.unique(column, return_inverse=True)[1] for column in (dataset.cell_types, dataset.batches))
    distances, indices = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors(rows)
    results = NeighborsResults(indices.astype(np.int32), distances.astype(np.float32))
    theirs = {
        "ilisi": lambda: scib_metrics.ilisi_knn(results, batches),
        "clisi": lambda: scib_metrics.clisi_knn(results, labels),
        "kbet": lambda: scib_metrics.kbet_per_label(results, batches, labels),
    }[name]()
    ours = METRICS[name](rows, dataset.cell_types, batches=dataset.batches).value
    assert ours == pytest.approx(float(theirs), abs=0.02 if name == "kbet" else 1e-4)

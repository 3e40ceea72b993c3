"""nmi and ari equal scikit-learn and scib on the same partition, with everybody and without each donor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding.contingency import ari_columns, contingency, nmi_columns


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_cells=st.integers(4, 60),
    n_labels=st.integers(2, 6),
    n_clusters=st.integers(1, 60),
    copied=st.booleans(),
)
def test_both_equal_scikit_learn(seed, n_cells, n_labels, n_clusters, copied):
    """Within 1e-12 of scikit-learn, also without each donor; NaN where a single label is left."""
    rng = np.random.default_rng(seed)
    labels = np.append([0, 0, 1], rng.integers(0, n_labels, n_cells - 3))
    partition = labels.copy() if copied else rng.integers(0, n_clusters, n_cells)
    donors = rng.integers(0, 3, n_cells)
    cells = Cells.of(labels, donors=donors)
    table = contingency(partition, cells)
    kept = [np.full(n_cells, True), *(donors != int(donor) for donor in cells.names)]
    columns = nmi_columns(table)[: len(kept)], ari_columns(table)[: len(kept)]  # the last one is of equal donors
    for rest, nmi, ari in zip(kept, *columns, strict=True):
        if len(np.unique(labels[rest])) < 2:
            assert np.isnan([nmi, ari]).all()
            continue
        assert nmi == pytest.approx(normalized_mutual_info_score(labels[rest], partition[rest]), abs=1e-12)
        assert ari == pytest.approx(adjusted_rand_score(labels[rest], partition[rest]), abs=1e-12)


def test_both_equal_scib_on_real_cells(pancreas):
    """Within 1e-12 of scib on a partition of 1,092 pancreas cells that cuts across cell types."""
    import anndata
    import pandas as pd
    from scib.metrics import ari, nmi

    partition = np.digitize(pancreas.embedding[:, 0], [-5, 0, 5]) * 2 + (pancreas.embedding[:, 1] > 0)
    obs = {"label": pd.Categorical(pancreas.labels), "cluster": pd.Categorical(partition)}
    adata = anndata.AnnData(obs=pd.DataFrame(obs, index=pancreas.dataset.cell_ids))
    table = contingency(partition, Cells.of(pancreas.labels))
    assert nmi_columns(table)[0] == pytest.approx(nmi(adata, "cluster", "label"), abs=1e-12)
    assert ari_columns(table)[0] == pytest.approx(ari(adata, "cluster", "label"), abs=1e-12)


def test_a_perfect_partition_scores_one(pancreas):
    """The labels themselves have NMI 1 and ARI 1 with everybody and without any donor."""
    cells = Cells.of(pancreas.dataset)
    table = contingency(cells.labels, cells)
    np.testing.assert_allclose([nmi_columns(table), ari_columns(table)], 1, atol=1e-12)

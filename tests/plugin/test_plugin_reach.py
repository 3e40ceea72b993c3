"""The gate can be passed: a very good embedding gets exit 0 on the quick tier, noise and what does not mix never."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from benchmarks.rungs import rungs, trained
from zsgate.data.catalogue.load import load
from zsgate.system.store import Store

PASSING = ("labels and little noise", "scVI without batch means, and centroids", "scVI and 1 centroids")
FAILING = ("PCA and 3 centroids", "noise", "noise and 2 of types", "merged types", "mixed beyond types")


@pytest.mark.slow  # scVI is trained six times
def test_which_embeddings_pass_the_quick_tier(project, gate, verdict):
    """Of the ladder (docs/statistics): PCA with centroids separates better than scVI, and fails by mixing alone."""
    dataset = load("pancreas_quick")
    ladder = {rung.name: rung for rung in rungs(dataset, trained(dataset, Store(project.path / "trained"))[0])}
    adata = anndata.AnnData(
        sp.csr_matrix((dataset.n_cells, 1)), obs=pd.DataFrame(index=dataset.cell_ids.astype(object))
    )
    for number, name in enumerate((*PASSING, *FAILING)):
        adata.obsm[f"X_{number}"] = np.asarray(ladder[name].rows)
    adata.write_h5ad(project.path / "ladder.h5ad")
    assert all(ladder[name].passes is not False for name in PASSING)
    assert all(ladder[name].passes is False for name in FAILING)

    exits, failed = {}, {}
    for number, name in enumerate((*PASSING, *FAILING)):
        exits[name] = gate(f"ladder.h5ad#X_{number}", columns=("--tier=quick",)).ret
        decided = [each for each in verdict()["verdicts"] if not each["advisory"]]
        assert len(decided) == 15
        failed[name] = {each["metric"] for each in decided if not each["passed"]}
        for each in decided:
            said, _, _ = each["sentence"].partition(";")  # what follows is of the floor or the signal
            assert ("would have been enough" in said) is (each["difference"] < each["enough"])
    assert exits == {**dict.fromkeys(PASSING, 0), **dict.fromkeys(FAILING, 1)}
    assert failed["PCA and 3 centroids"] == {"knn_mixing"}
    assert all("knn_mixing" in failed[name] for name in FAILING)

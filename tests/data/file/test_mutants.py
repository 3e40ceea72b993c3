"""Files with bytes changed at random: a dataset or one sentence, never a traceback, a crash or a hang."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp


@pytest.fixture
def small(tmp_path):
    """Write a file of sixty cells with every kind of part that is read."""
    generator = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(generator.choice(["alpha", "beta"], 60)),
            "batch": pd.Categorical(generator.choice(["x", "y"], 60)),
            "donor": generator.integers(0, 6, 60),
        },
        index=[f"cell{i}" for i in range(60)],
    )
    var = pd.DataFrame({"gene_ids": [f"ENSG{i:011d}" for i in range(80)]}, index=[f"G{i}" for i in range(80)])
    adata = anndata.AnnData(sp.csr_matrix(generator.poisson(1.2, (60, 80)).astype(np.float32)), obs=obs, var=var)
    adata.obsm["X_mine"] = generator.normal(size=(60, 4))
    adata.write_h5ad(tmp_path / "small.h5ad")
    return tmp_path / "small.h5ad"


@pytest.mark.parametrize("n_mutants", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_mutants_are_read_or_refused(small, tmp_path, n_mutants):
    """Some of each; whatever is read has passed every check."""
    command = [sys.executable, str(Path(__file__).with_name("mutants.py")), str(small), str(tmp_path), str(n_mutants)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=n_mutants * 10)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == n_mutants
    read = Counter(line.split()[1] for line in lines)
    assert min(read["same"], read["refused"]) > n_mutants / 10
    said = {word for line in lines for word in line.split()[1:]}
    assert said <= {"same", "refused", "different", "checked", "embedded"}

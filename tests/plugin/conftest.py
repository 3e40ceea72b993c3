"""A small real dataset, models of known worth, and a pytester that runs the gate on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from zsgate.data.dataset import Dataset

MODELS = '''
"""Candidates of known worth; `adata` holds no labels, so the ones that need them read the file."""

import anndata
import numpy as np

from zsgate.models.reconstruction import Reconstruction, hidden


def _labels(adata):
    obs = anndata.read_h5ad("cells.h5ad").obs
    return obs.loc[adata.obs_names, "cell_type"].cat.codes.to_numpy()


def good(adata):
    """Give the labels with a little noise that is the cell's own."""
    labels = _labels(adata)
    noise = np.array([np.random.default_rng(abs(hash_(cell))).normal(size=12) for cell in adata.obs_names])
    return 3 * np.eye(12)[labels] + 0.1 * noise


def bad(adata):
    """Give noise that is the cell's own."""
    return np.array([np.random.default_rng(abs(hash_(cell))).normal(size=12) for cell in adata.obs_names])


def hash_(cell):
    return int.from_bytes(cell.encode()[-8:], "little")


def short(adata):
    return bad(adata)[:-1]


def not_a_number(adata):
    rows = bad(adata)
    rows[3, 2] = np.nan
    return rows


def constant(adata):
    return np.ones((adata.n_obs, 4))


def reordered(adata):
    return bad(adata)[np.argsort(adata.obs_names)]


def broken(adata):
    raise RuntimeError("out of memory, as it were")


def exits(adata):
    raise SystemExit(3)


def skips(adata):
    import pytest

    pytest.skip("no GPU here")


def interrupted(adata):
    raise KeyboardInterrupt


class Sampling:
    """The labels with noise that is another one in each call."""

    stochastic, deals = True, False

    def embed(self, adata):
        generator = np.random.default_rng()
        rows = 3 * np.eye(12)[_labels(adata)] + 0.3 * generator.normal(size=(adata.n_obs, 12))
        return rows[generator.permutation(adata.n_obs)] if self.deals else rows


class Dealing(Sampling):
    """Says that it draws chance, and deals its rows to the cells at random."""

    deals = True


class Across(Sampling):
    """Looks across cells as well."""

    independent_cells = False
    draws = 2


class Trained:
    """Counts of the most expressed genes; its twin is noise."""

    fingerprint = "v1"

    def __init__(self, weights=None):
        self.weights = weights

    def embed(self, adata):
        if self.weights is None:
            return np.log1p(adata.X[:, :200].toarray())
        return adata.X[:, :200] @ self.weights

    def random_init(self, seed):
        return Trained(np.random.default_rng(seed).normal(size=(200, 8)))


class Sabotaged(Trained):
    """Gives the labels, and has twins of noise, which anything beats."""

    def embed(self, adata):
        return good(adata)

    def random_init(self, seed):
        twin = Sabotaged()
        twin.embed = lambda adata: np.random.default_rng(seed).normal(size=(adata.n_obs, 8))
        return twin


class Mixing(Trained):
    """Mixes the log counts of all genes by weights, which are random in its twins."""

    def embed(self, adata):
        return good(adata) if self.weights is None else adata.X.log1p() @ self.weights[: adata.n_vars]

    def random_init(self, seed):
        return Mixing(np.random.default_rng(100 + seed).normal(size=(20_000, 64)))


class TwoRows(Trained):
    """Has twins of two rows."""

    def random_init(self, seed):
        twin = TwoRows()
        twin.embed = lambda adata: np.eye(2)[np.arange(seed, adata.n_obs + seed) % 2]
        return twin


class Copier:
    """Counts up to 50; what it is shown it returns, of what is hidden it knows nothing."""

    scale, most = "bin", 50
    fingerprint = "v1"

    def embed(self, adata):
        return bad(adata)

    def guess(self, cells, shown, hide):
        return np.where(hide, -1, shown)

    def bins(self, counts):
        return np.minimum(counts, self.most).astype(np.float32)

    def targets(self, adata):
        return self.bins(adata.X.toarray())

    def reconstruct(self, adata, *, masked=0.0, seed=0):
        with open("passes.txt", "a") as log:
            log.write(f"{masked}\\n")
        for start in range(0, adata.n_obs, 100):
            cells = adata[start : start + 100]
            offsets, genes = cells.X.indptr.astype(np.int64), cells.X.indices.astype(np.int32)
            shown, hide = self.bins(cells.X.data), cells.layers["hidden"].data
            yield Reconstruction(
                cells=np.arange(start, start + cells.n_obs), offsets=offsets, genes=genes, target=shown,
                predictions={"gep": self.guess(cells, shown, hide).astype(np.float32)}, scale=self.scale,
                masked=hidden(offsets, genes, masked, seed), noise_floor=np.full(len(genes), 0.25, np.float32),
            )


class Knower(Copier):
    """Is right up to a noise of its own, shown or hidden: it has read the file."""

    def guess(self, cells, shown, hide):
        whole = anndata.read_h5ad("cells.h5ad")[cells.obs_names, cells.var_names].X.toarray()
        cell = np.repeat(np.arange(cells.n_obs), np.diff(cells.X.indptr))
        return self.bins(whole[cell, cells.X.indices]) + np.sin(np.arange(len(shown)))


class Coarse(Knower):
    """Sees no count above 20, so its targets are others."""

    most = 20


class Blind(Copier):
    """Says the same of every gene."""

    def guess(self, cells, shown, hide):
        return np.full(len(shown), 25.0)

class Peeker(Knower):
    """Looks for hidden counts wherever an AnnData may have some, and says the largest that it finds."""

    def guess(self, cells, shown, hide):
        kept = [*cells.layers.values(), *cells.obsm.values(), *cells.uns.values()]
        places = [cells.X, *kept, *([cells.raw.X] if cells.raw else [])]
        found = [each.toarray() for each in places if each.dtype != bool]
        cell = np.repeat(np.arange(cells.n_obs), np.diff(cells.X.indptr))
        return np.maximum.reduce(found)[cell, cells.X.indices]


class Liar(Copier):
    """Says 1 of every gene, and that this is the truth."""

    scale = "counts"

    def guess(self, cells, shown, hide):
        return np.ones(len(shown))

    def bins(self, counts):
        return np.ones(counts.shape, np.float32)


class LogLiar(Liar):
    scale = "lognorm"


class FallingBins(Copier):
    """Has bins that fall as counts rise."""

    def bins(self, counts):
        return 1 / (1 + counts)


class Mistaken(Copier):
    """Takes other genes for hidden."""

    def reconstruct(self, adata, *, masked=0.0, seed=0):
        yield from super().reconstruct(adata, masked=masked, seed=seed + 1)
'''


@pytest.fixture(scope="session")
def cells_file(few_cells: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 240 real cells of 12 donors as a user's file."""
    obs = pd.DataFrame(
        {"cell_type": few_cells.cell_types, "sample": few_cells.batches, "donor": few_cells.donors},
        index=few_cells.cell_ids.astype(object),
    ).astype("category")
    var = pd.DataFrame(index=pd.Index(few_cells.ensembl.astype(object)))
    seen = np.asarray((few_cells.counts > 0).sum(axis=0)).ravel() >= 10
    adata = anndata.AnnData(few_cells.counts[:, seen].copy(), obs=obs, var=var[seen])
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    adata.write_h5ad(path)
    return path


Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester, cells_file: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return an empty repository with the cells, the models and a store of its own."""
    (pytester.path / "cells.h5ad").symlink_to(cells_file)
    pytester.makepyfile(models=MODELS)
    # the first two: a run in here is no worker, although its test may run on one
    for name in (
        "PYTEST_XDIST_WORKER",
        "PYTEST_XDIST_TESTRUNUID",
        "ZSGATE_TEST_DATA",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_OUTPUT",
        "PYTEST_ADDOPTS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZSGATE_CACHE", str(pytester.path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ZSGATE_ISOLATION", "none")  # quicker; test_plugin_worker.py has candidates run apart
    monkeypatch.setenv("ZSGATE_NO_MAPS", "1")  # quicker; test_plugin_maps.py has them drawn
    pytester.plugins.append("no:hypothesispytest")  # a second of imports that no test here needs
    return pytester


COLUMNS = ("--tier=quick", "--datasets=cells.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor")


@pytest.fixture
def gate(project: pytest.Pytester) -> Run:
    """Run pytest on a model with the small dataset, in a process of its own."""

    def gate(model: str, *args: str, columns: tuple[str, ...] = COLUMNS) -> pytest.RunResult:
        return project.runpytest_subprocess(f"--model={model}", *columns, *args)

    return gate


@pytest.fixture
def verdict(project: pytest.Pytester) -> Callable[[], dict[str, Any]]:
    """Read verdict.json of the last run."""
    return lambda: json.loads((project.path / "zsgate-report" / "verdict.json").read_text(encoding="utf-8"))

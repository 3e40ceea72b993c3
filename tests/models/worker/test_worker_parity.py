"""A model apart says and gives the same as in this process, and what is kept of a packaged one needs no process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import anndata
import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.data.expression import Expression
from zsgate.errors import UsageProblem
from zsgate.models import load
from zsgate.models.adapter import Adapter
from zsgate.models.worker.cells_file import read_cells, write_cells
from zsgate.models.worker.client import Worker
from zsgate.models.worker.launch import Place, launch
from zsgate.models.worker.zsgate_worker import Cells
from zsgate.system.store import Store

Launch = Callable[..., Worker]
FIELDS = ("cells", "offsets", "genes", "target", "masked", "noise_floor", "tokens")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Launch]:
    """Launch models in processes of their own, which end with the test."""
    launched: list[Worker] = []

    def launch_one(name: str, *, kept: Store | None = None, **settings: object) -> Worker:
        place = Place(folder=tmp_path, scratch=tmp_path / "scratch", kept=kept, offline=True)
        launched.append(launch(name, place, **settings))  # type: ignore[arg-type]
        return launched[-1]

    yield launch_one
    for worker in launched:
        worker.close()


def same_predictions(ours: Adapter, theirs: Adapter, dataset: Dataset, masked: float) -> bool:
    """Return whether two models predict the same of the same genes."""
    parts = zip(ours.reconstruct(dataset, masked=masked), theirs.reconstruct(dataset, masked=masked), strict=True)  # type: ignore[attr-defined]
    return all(
        all(np.array_equal(getattr(one, name), getattr(two, name)) for name in FIELDS if getattr(one, name) is not None)
        and one.predictions.keys() == two.predictions.keys()
        and all(np.array_equal(one.predictions[head], two.predictions[head]) for head in one.predictions)
        for one, two in parts
    )


@pytest.mark.parametrize("family", ["scgpt", "geneformer"])
def test_a_packaged_model_apart_is_the_same(
    apart: Launch, family: str, handful: Dataset, scgpt_folder: Path, geneformer_folders: dict[str, Path]
) -> None:
    """Card, rows, twin's rows, coverage, scale and predictions equal those in this process."""
    folder = scgpt_folder if family == "scgpt" else geneformer_folders["geneformer_v2_104m"]
    here, there = load(family, weights=folder, offline=True), apart(family, weights=folder)
    assert there.info == here.info
    assert there.fingerprint == here.fingerprint
    np.testing.assert_array_equal(there.embed(handful), here.embed(handful))
    np.testing.assert_array_equal(there.random_init(1).embed(handful), here.random_init(1).embed(handful))  # type: ignore[attr-defined]
    assert there.coverage(handful) == here.coverage(handful)  # type: ignore[attr-defined]
    assert (there.scale, there.heads) == (here.scale, here.heads)  # type: ignore[attr-defined]
    assert same_predictions(there, here, handful, 0.15)
    there.check(handful)
    with pytest.raises(UsageProblem, match="in the model's vocabulary"):
        there.check(
            replace(handful, symbols=np.char.add("x", handful.symbols), ensembl=np.char.add("y", handful.ensembl))
        )


def test_what_is_kept_of_a_packaged_model_needs_no_process(
    apart: Launch, scgpt_folder: Path, handful: Dataset, tmp_path: Path
) -> None:
    """Its card and coverage are served without one; other weights are another model."""
    kept = Store(tmp_path / "store")
    first = apart("scgpt", weights=scgpt_folder, kept=kept)
    assert first.lane._process is not None
    coverage = first.coverage(handful)
    second = apart("scgpt", weights=scgpt_folder, kept=kept)
    assert (second.info, second.fingerprint, second.coverage(handful)) == (first.info, first.fingerprint, coverage)
    assert second.lane._process is None
    other = tmp_path / scgpt_folder.name
    other.mkdir()
    for path in scgpt_folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    args = (other / "args.json").read_text()
    (other / "args.json").write_text(args.replace('"MVC": true', '"MVC": false'))
    assert apart("scgpt", weights=other, kept=kept).lane._process is not None


MINE = """
    import numpy as np
    from zsgate.models.reconstruction import Reconstruction

    class Mine:
        fingerprint, scale, needs_batches = "v1", "counts", True

        def __init__(self, device, weights=None):
            self.device = device
            self.weights = np.random.default_rng(0).normal(size=(60000, 9)) if weights is None else weights

        def embed(self, adata):
            shift = adata.obs["batch"].cat.codes.to_numpy()[:, None] % 2
            return adata.X.log1p() @ self.weights[: adata.n_vars] + shift

        def random_init(self, seed):
            return Mine(self.device, np.random.default_rng(seed).normal(size=(60000, 9)))

        def reconstruct(self, adata, *, masked=0.0, seed=0):
            shown, hide = adata.X, adata.layers["hidden"]
            yield Reconstruction(
                cells=np.arange(adata.n_obs),
                offsets=shown.indptr.astype(np.int64),
                genes=shown.indices.astype(np.int32),
                target=shown.data.astype(np.float32),
                predictions={"gep": shown.data * 0.5 + shown.data.sum() / shown.data.size},
                scale="counts",
                masked=hide.data,
            )
"""


def test_a_model_of_one_s_own_apart_is_the_same(apart: Launch, handful: Dataset, tmp_path: Path) -> None:
    """Its process is told the batches it needs, and no hidden count after it has seen whole ones."""
    (tmp_path / "mine_apart.py").write_text(dedent(MINE))
    here, there = load("mine_apart:Mine", folder=tmp_path), apart("mine_apart:Mine")
    assert there.info == here.info
    assert there.fingerprint == here.fingerprint
    np.testing.assert_array_equal(there.embed(handful), here.embed(handful))
    np.testing.assert_array_equal(there.random_init(1).embed(handful), here.random_init(1).embed(handful))  # type: ignore[attr-defined]
    before = there.lane._process
    assert same_predictions(there, here, handful, 0.15)
    assert there.lane._process is not before
    assert (there.about.device, there.about.needs_batches) == ("cpu", True)


def test_the_file_of_cells_is_an_anndata(few_cells: Dataset, tmp_path: Path) -> None:
    """Any anndata reads it, and so does a worker; nothing but counts, genes and names is in it."""
    write_cells(few_cells, tmp_path / "cells.h5ad", batches=True)
    adata = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert (few_cells.counts != adata.X).nnz == 0
    assert adata.obs_names.tolist() == few_cells.cell_ids.tolist()
    assert adata.var["symbol"].tolist() == few_cells.symbols.tolist()
    assert adata.obs["batch"].tolist() == few_cells.batches.tolist()
    assert (adata.raw, list(adata.layers), list(adata.obsm), list(adata.uns)) == (None, [], [], [])
    again = read_cells(Cells(str(tmp_path / "cells.h5ad"), 10, 30), "again")
    assert (again.counts != few_cells.counts[10:30]).nnz == 0
    assert again.cell_ids.tolist() == few_cells.cell_ids[10:30].tolist()
    mine = Cells(str(tmp_path / "cells.h5ad")).to_anndata()
    assert (few_cells.counts != mine.X).nnz == 0
    mine.X.data[:] = 0
    assert Cells(str(tmp_path / "cells.h5ad")).counts.max() > 0
    few_cells_as_integers = replace(few_cells, number="int64")
    write_cells(few_cells_as_integers, tmp_path / "integers.h5ad")
    assert anndata.read_h5ad(tmp_path / "integers.h5ad").X.dtype == np.int64


def test_where_the_cells_are_from_is_told_to_who_reads_it_only(few_cells: Dataset, tmp_path: Path) -> None:
    """The file of the dataset, with its labels, is named to packaged models that read its X, and to nobody else."""
    expression = Expression(tmp_path / "with_labels.h5ad", np.arange(few_cells.n_cells))
    cells = replace(few_cells, expression=expression)
    write_cells(cells, tmp_path / "cells.h5ad", local=True)
    assert b"with_labels" not in (tmp_path / "cells.h5ad").read_bytes()
    write_cells(cells, tmp_path / "read.h5ad", local=True, expression=True)
    again = read_cells(Cells(str(tmp_path / "read.h5ad"), 5, 9), "again").expression
    assert again is not None
    assert (again.path, again.rows.tolist()) == (expression.path, [5, 6, 7, 8])


def test_hidden_counts_are_not_in_the_file(few_cells: Dataset, tmp_path: Path) -> None:
    """A zero is stored where a count is hidden, and the layer says where."""
    write_cells(few_cells, tmp_path / "cells.h5ad", hidden=(0.4, 0))
    cells = Cells(str(tmp_path / "cells.h5ad"))
    assert (cells.data[cells.hidden] == 0).all()
    np.testing.assert_array_equal(cells.data[~cells.hidden], few_cells.counts.data[~cells.hidden])

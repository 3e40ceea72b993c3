"""What a model may see of hidden genes: nothing; and who says what they truly are: the dataset."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.data.preprocess import log_normalised
from zsgate.errors import CandidateFailed, UsageProblem
from zsgate.models.adapter import Adapter
from zsgate.models.reconstruction import Reconstruction, Scale, hidden
from zsgate.models.reconstruction.hiding import blinded
from zsgate.models.reconstruction.targets import refuse_untrue, truth
from zsgate.models.user_model import UserModel


def window(dataset: Dataset, cells: np.ndarray, scale: Scale, target: np.ndarray | None = None) -> Reconstruction:
    """Return a window of all that some cells express, nothing hidden."""
    counts = dataset.counts[cells]
    values = counts.data if target is None else target
    return Reconstruction(
        cells=cells,
        offsets=counts.indptr.astype(np.int64),
        genes=counts.indices.astype(np.int32),
        target=values.astype(np.float32),
        predictions={"gep": np.zeros(counts.nnz, np.float32)},
        scale=scale,
        masked=np.zeros(counts.nnz, dtype=bool),
    )


# --- what is hidden


@pytest.mark.parametrize("share", [0.0, 0.15, 0.4])
def test_no_hidden_count_is_in_the_anndata(few_cells: Dataset, share: float) -> None:
    """Where a gene is hidden X stores 0, elsewhere the count; the layer says where, by the rule of ``hidden``."""
    adata = blinded(few_cells, share, 0)
    counts, mask = few_cells.counts, adata.layers["hidden"].data
    np.testing.assert_array_equal(adata.X.indices, counts.indices)
    np.testing.assert_array_equal(mask, hidden(counts.indptr, counts.indices, share))
    np.testing.assert_array_equal(adata.X.data, np.where(mask, 0, counts.data))
    assert adata.raw is None
    assert (list(adata.layers), [*adata.obsm, *adata.varm, *adata.obsp, *adata.uns]) == (["hidden"], [])
    assert adata.obs.columns.tolist() == []


def owners(array: np.ndarray) -> Iterator[object]:
    """Yield an array and all that it is a view of."""
    base: object = array
    while base is not None:
        yield base
        base = getattr(base, "base", None)


def test_no_array_leads_back_to_the_counts(few_cells: Dataset, tmp_path: Path) -> None:
    """Neither memory nor, where counts are mapped, their file is shared; what a model writes stays its own."""
    counts = few_cells.counts
    arrays = []
    for name in ("data", "indices"):
        getattr(counts, name).tofile(tmp_path / name)
        arrays.append(np.memmap(tmp_path / name, getattr(counts, name).dtype, "r"))
    mapped = sp.csr_matrix((*arrays, counts.indptr), shape=counts.shape, copy=False)
    for dataset in (few_cells, replace(few_cells, counts=mapped)):
        adata = blinded(dataset, 0.4, 0)
        for matrix in (adata.X, adata.layers["hidden"]):
            for array in (matrix.data, matrix.indices, matrix.indptr):
                assert not any(np.shares_memory(array, part) for part in (counts.data, counts.indices, counts.indptr))
                assert not any(isinstance(each, np.memmap) for each in owners(array))
        before = adata.layers["hidden"].copy()
        adata.X.eliminate_zeros()
        assert (adata.layers["hidden"] != before).nnz == 0


# --- what is true


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_truth_is_the_dataset_s(few_cells: Dataset, data: st.DataObject) -> None:
    """Of any cells and genes, in any order and expressed or not: the count, and scanpy's logarithm of it."""
    n_cells, n_genes = few_cells.counts.shape
    cells = np.array(data.draw(st.lists(st.integers(0, n_cells - 1), min_size=1, max_size=5, unique=True)))
    lengths = [data.draw(st.integers(0, 20)) for _ in cells]
    genes = np.array([data.draw(st.integers(0, n_genes - 1)) for _ in range(sum(lengths))], np.int32)
    part = Reconstruction(
        cells=cells, offsets=np.concatenate([[0], np.cumsum(lengths)]), genes=genes, target=np.zeros(len(genes)),
        predictions={"gep": np.zeros(len(genes))}, scale="counts", masked=np.zeros(len(genes), bool),
    )  # fmt: skip
    at = cells[part.cell_of_entry], genes
    np.testing.assert_array_equal(truth(part, few_cells), few_cells.counts.toarray()[at])
    expected = log_normalised(few_cells).toarray()[at]
    np.testing.assert_allclose(truth(replace(part, scale="lognorm"), few_cells), expected, rtol=1e-6)


def tied(dataset: Dataset, cells: np.ndarray) -> np.ndarray:
    """Return bins that rise with the counts, drawn among two where counts tie."""
    counts = dataset.counts[cells].data
    return 2 * counts + np.random.default_rng(0).integers(0, 2, len(counts))


@pytest.mark.parametrize(
    ("scale", "target", "says"),
    [
        ("counts", lambda d, c: d.counts[c].data, None),
        ("counts", lambda d, c: np.minimum(d.counts[c].data, 3), r"states the target 3 for gene \S+ of cell \S+"),
        ("counts", lambda d, c: d.counts[c].data + 1, "1 targets are not|targets are not the dataset's"),
        ("lognorm", lambda d, c: log_normalised(d)[c].data, None),
        ("lognorm", lambda d, c: np.log1p(d.counts[c].data), r"whose log\(1 \+ counts scaled to 10,000 a cell\) is"),
        ("bin", tied, None),
        ("bin", lambda d, c: np.ones(d.counts[c].nnz), None),
        ("bin", lambda d, c: -d.counts[c].data, "in a cell bins must not fall as counts rise"),
        ("bin", lambda d, c: d.counts[c].indices, "in a cell bins must not fall as counts rise"),
    ],
)  # fmt: skip
def test_targets_that_cannot_be_are_refused(
    few_cells: Dataset, scale: Scale, target: Callable[[Dataset, np.ndarray], np.ndarray], says: str | None
) -> None:
    """Counts and logarithms are compared, bins must not fall within a cell; drawn ties are fine."""
    cells = np.array([7, 3, 100])
    part = window(few_cells, cells, scale, target(few_cells, cells))
    if says is None:
        refuse_untrue(part, few_cells)
        return
    with pytest.raises(CandidateFailed, match=says):
        refuse_untrue(part, few_cells)


def ranks(lengths: list[int]) -> np.ndarray:
    """Return 1 to 0 for each cell."""
    return np.concatenate([np.linspace(1, 0, length) if length > 1 else [0.0] for length in lengths])


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 99))
def test_ranks_are_a_permutation_of_1_to_0(few_cells: Dataset, lengths: list[int], seed: int) -> None:
    """In any order within a cell they are fine; with one of them moved they are not those of the cell's genes."""
    generator = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    target = ranks(lengths)
    for start, end in pairwise(offsets):
        target[start:end] = generator.permutation(target[start:end])
    part = Reconstruction(
        cells=np.arange(len(lengths)), offsets=offsets, genes=np.arange(offsets[-1], dtype=np.int32), scale="rank",
        target=target.astype(np.float32), masked=np.zeros(offsets[-1], bool), predictions={"token": target},
    )  # fmt: skip
    refuse_untrue(part, few_cells)
    moved = target.copy()
    moved[generator.integers(len(moved))] += 0.01
    with pytest.raises(CandidateFailed, match="evenly spaced from 1 for the first to 0 for the last"):
        refuse_untrue(replace(part, target=moved.astype(np.float32)), few_cells)


@pytest.mark.parametrize("masked", [0.0, 0.15])
@pytest.mark.parametrize("name", ["scgpt_human", "geneformer_v1_10m", "geneformer_v2_104m"])
def test_packaged_tokenisers_state_what_can_be(
    tiny_scgpt: Callable[..., Adapter],
    tiny_geneformer: Callable[..., Adapter],
    handful: Dataset,
    name: str,
    masked: float,
) -> None:
    """The bins and ranks of the shipped adapters on real cells are held to the same rules."""
    model = tiny_scgpt() if name.startswith("scgpt") else tiny_geneformer(name)
    for part in model.reconstruct(handful, masked=masked):  # type: ignore[attr-defined]
        refuse_untrue(part, handful)


# --- a model of one's own


class Mean:
    """Says 2 of every gene; reads every third gene of a cell only."""

    scale, every = "lognorm", 3

    def embed(self, adata):  # type: ignore[no-untyped-def]
        """Return a few counts."""
        return adata.X[:, :5].toarray()

    def targets(self, adata):  # type: ignore[no-untyped-def]
        """Return bins that rise with the counts."""
        return adata.X.sqrt()

    def reconstruct(self, adata, *, masked=0.0, seed=0):  # type: ignore[no-untyped-def]
        """Yield a cell at a time, with the targets of what is shown."""
        X, hide = adata.X, adata.layers["hidden"]
        for cell in range(adata.n_obs):
            here = slice(*X.indptr[cell : cell + 2], self.every)
            genes = X.indices[here]
            shown = np.log1p(X.data[here] * 1e4 / X[cell].sum()) if self.scale == "lognorm" else X.data[here]
            yield Reconstruction(
                cells=np.array([cell]), offsets=np.array([0, len(genes)]), genes=genes, target=shown, scale=self.scale,
                predictions={"gep": np.full(len(genes), 2.0)}, masked=hide.data[here],
            )  # fmt: skip


@pytest.mark.parametrize("masked", [0.0, 0.15])
@pytest.mark.parametrize("scale", ["counts", "lognorm", "bin"])
def test_the_gate_fills_in_what_was_hidden(few_cells: Dataset, scale: Scale, masked: float) -> None:
    """Every target is the dataset's, or for bins the model's own of whole cells, whatever the model knows."""
    model = Mean()
    model.scale = scale
    adapter = UserModel("here:Mean", model=model)
    expected = {"counts": few_cells.counts, "lognorm": log_normalised(few_cells), "bin": few_cells.counts.sqrt()}[scale]
    found = list(adapter.reconstruct(few_cells, masked=masked))
    for part in found:
        (cell,) = part.cells
        np.testing.assert_allclose(part.target, expected[cell].toarray()[0, part.genes], rtol=1e-6)
    share = np.mean(np.concatenate([part.masked for part in found]))
    assert abs(share - masked) < 0.01


def test_a_model_that_reads_few_genes_is_scored(few_cells: Dataset) -> None:
    """Of the genes that it reads those count as hidden that happen to be; one pass takes its windows."""
    from zsgate.baselines.averages import AVERAGES
    from zsgate.metrics.reconstruction.one_pass import one_pass

    found = one_pass(UserModel("here:Mean", model=Mean()), few_cells, AVERAGES, 0.15)
    assert found.n_scored == few_cells.n_cells
    assert found.columns["default"]["mse_gep"]["candidate"][0] > 0


def test_bins_need_targets_and_ranks_cannot_be_hidden() -> None:
    """A model of bins says beside it what whole cells' bins are; one of ranks is not asked of hidden genes."""

    class Bins:
        scale = "bin"
        embed = reconstruct = len

    with pytest.raises(UsageProblem, match=r"it must have targets\(adata\), the bins of whole cells"):
        UserModel("here:Bins", model=Bins())

    class Ranks(Bins):
        scale = "rank"

    adapter = UserModel("here:Ranks", model=Ranks())
    with pytest.raises(CandidateFailed, match=re.escape("may peek")):
        next(adapter.reconstruct(None, masked=0.15))

"""The contract of an adapter: ten tests that a model's own repository can run on it.

    import pytest
    from zsgate.testing import AdapterContract

    @pytest.fixture(scope="module")
    def adapter():
        return MyModel(weights="tiny/")

    class TestMyModel(AdapterContract):
        pass

What has no ``info`` and ``fingerprint`` is no adapter but a model of one's own: it gets AnnData, as in a run of
``--model=pkg.mod:attr``; one that has both is taken for an adapter unless the class says ``takes_anndata = True``. A
fixture ``cells`` in that class replaces the default's 24 real cells. What a model does not offer is skipped, with the
reason.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp

from zsgate.errors import UsageProblem, in_words
from zsgate.models.adapter import Adapter, as_builtins, is_foreign
from zsgate.models.user_model import UserModel

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

TOLERANCE = 1e-5


@cache
def some_cells(n_cells: int = 24) -> Dataset:
    """Return real cells of the quick tier; needs the package hormone2cell."""
    from zsgate.data.catalogue.load import load

    whole = load("pancreas_quick")
    return whole.subset(np.linspace(0, whole.n_cells - 1, n_cells).astype(np.intp), name="some_cells")


class AdapterContract:
    """Ten tests of a model; a subclass needs a fixture ``adapter``, an adapter or what ``pkg.mod:attr`` may name."""

    tolerance = TOLERANCE
    takes_anndata = False  # whether it is a model of one's own although it looks like an adapter

    @pytest.fixture
    def wrapped(self, adapter: Any) -> Adapter:
        """Return the adapter; what is none is wrapped as ``--model=pkg.mod:attr`` wraps it, and gets AnnData."""
        return self._wrap(adapter)

    def _wrap(self, adapter: Any) -> Adapter:
        if isinstance(adapter, Adapter) and not self.takes_anndata:
            return adapter
        name = getattr(adapter, "__qualname__", type(adapter).__qualname__)
        return UserModel(f"{adapter.__module__}:{name}", model=adapter)

    @pytest.fixture
    def cells(self) -> Dataset:
        """Return the cells to try the adapter on."""
        return some_cells()

    @pytest.fixture
    def rows(self, wrapped: Adapter, cells: Dataset) -> npt.NDArray[np.float32]:
        """Return the embedding of all cells."""
        return wrapped.embed(cells)

    def close(self, ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> None:
        """Assert that two embeddings agree within the tolerance."""
        np.testing.assert_allclose(ours, theirs, atol=self.tolerance, rtol=self.tolerance)

    def test_one_finite_float32_row_a_cell(
        self, wrapped: Adapter, cells: Dataset, rows: npt.NDArray[np.float32]
    ) -> None:
        """1. The embedding is float32 (n_cells, dimensions), finite, and not the same row for all cells."""
        assert isinstance(rows, np.ndarray), f"embed returned a {type(rows).__name__}"
        assert rows.dtype == np.float32, f"embed returned {rows.dtype}"
        assert rows.ndim == 2, f"embed returned shape {rows.shape}"
        assert len(rows) == cells.n_cells, f"{len(rows)} rows for {cells.n_cells} cells"
        assert wrapped.info.dimensions in (None, rows.shape[1]), f"the card says {wrapped.info.dimensions}"
        assert np.isfinite(rows).all(), "the embedding has NaN or infinite values"
        assert len(np.unique(rows, axis=0)) > 1, "all cells have the same row"

    def test_rows_follow_the_cells(self, wrapped: Adapter, cells: Dataset, rows: npt.NDArray[np.float32]) -> None:
        """2. Permuted cells give permuted rows: nothing is sorted, dropped or sampled on the way."""
        _needs_independence(wrapped)
        order = np.random.default_rng(0).permutation(cells.n_cells)
        self.close(wrapped.embed(cells.subset(order)), rows[order])

    def test_a_cell_does_not_see_its_company(
        self, wrapped: Adapter, cells: Dataset, rows: npt.NDArray[np.float32]
    ) -> None:
        """3. A few cells alone have the rows they have among all: batches and padding change nothing."""
        _needs_independence(wrapped)
        few = np.sort(np.random.default_rng(1).permutation(cells.n_cells)[: cells.n_cells // 3])
        self.close(wrapped.embed(_with_two_types(cells.subset(few))), rows[few])

    def test_chance_is_not_global(self, wrapped: Adapter, cells: Dataset, rows: npt.NDArray[np.float32]) -> None:
        """4. A second call gives the same bits, whatever state the global generators are in."""
        import torch

        _needs_steadiness(wrapped)

        numpy_state, torch_state = np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
        try:
            np.random.seed(123)  # noqa: NPY002
            torch.manual_seed(123)
            np.testing.assert_array_equal(wrapped.embed(cells), rows)
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            torch.random.set_rng_state(torch_state)

    def test_the_order_of_genes_does_not_matter(
        self, wrapped: Adapter, cells: Dataset, rows: npt.NDArray[np.float32]
    ) -> None:
        """5. Permuted columns give the same rows."""
        _needs_steadiness(wrapped)
        genes = np.random.default_rng(2).permutation(len(cells.symbols))
        self.close(wrapped.embed(_with_genes(cells, genes)), rows)

    def test_genes_nobody_expresses_change_nothing(
        self, wrapped: Adapter, cells: Dataset, rows: npt.NDArray[np.float32]
    ) -> None:
        """6. Dropping all genes without a count gives the same rows."""
        _needs_steadiness(wrapped)
        expressed = np.flatnonzero(np.asarray(cells.counts.sum(axis=0)).ravel())
        self.close(wrapped.embed(_with_genes(cells, expressed)), rows)

    def test_the_dataset_is_left_alone(self, wrapped: Adapter, cells: Dataset) -> None:
        """7. Embedding changes nothing in the dataset it was given."""
        before = cells.counts.copy()
        wrapped.embed(cells)
        assert (before.data == cells.counts.data).all(), "embed changed the counts in place"
        assert (before.indices == cells.counts.indices).all(), "embed reordered the counts in place"

    def test_what_cannot_be_embedded_is_refused(self, wrapped: Adapter, cells: Dataset) -> None:
        """8. A dataset of genes unknown to the model raises UsageProblem instead of giving rows of nothing."""
        if wrapped.info.gene_ids == "any" or getattr(wrapped, "reads_any_name", False):
            pytest.skip("the model reads any gene")
        strangers = np.array([f"NOGENE{place}" for place in range(len(cells.symbols))])
        # a process of its own can only say that it failed
        with pytest.raises(Exception if is_foreign(wrapped) else UsageProblem):
            wrapped.embed(replace(cells, symbols=strangers, ensembl=None))

    def test_the_twin_is_untrained_and_repeatable(
        self, wrapped: Adapter, cells: Dataset, rows: npt.NDArray[np.float32]
    ) -> None:
        """9. ``random_init(seed)`` gives other rows of the same width, the same for a seed, others for another."""
        if not hasattr(wrapped, "random_init"):
            pytest.skip("the adapter offers no random_init(seed)")
        maker: Any = wrapped
        first, again, other = (maker.random_init(seed).embed(cells) for seed in (0, 0, 1))
        assert first.shape == rows.shape, f"the twin's rows are {first.shape}, the model's {rows.shape}"
        _needs_steadiness(wrapped)
        np.testing.assert_array_equal(first, again)
        assert not np.allclose(first, rows), "the twin gives the trained model's rows"
        assert not np.allclose(first, other), "the twin's rows do not depend on the seed"

    def test_card_and_fingerprint_tell_models_apart(self, wrapped: Adapter) -> None:
        """10. The card is plain data; the fingerprint, where there is one, is stable and not the twin's."""
        json.dumps(as_builtins(wrapped.info))
        assert wrapped.info.name, "the card has no name"
        if wrapped.fingerprint is None:
            pytest.skip("the adapter has no fingerprint: nothing is kept between runs")
        assert wrapped.fingerprint == wrapped.fingerprint
        maker: Any = wrapped
        if hasattr(wrapped, "random_init"):
            prints = {wrapped.fingerprint, maker.random_init(0).fingerprint, maker.random_init(1).fingerprint}
            assert len(prints) == 3, "the model and its twins share a fingerprint"


def check_contract(adapter: Any, cells: Dataset | None = None) -> list[tuple[str, str, str]]:
    """Return the outcome of each test of the contract, outside of pytest.

    Parameters
    ----------
    adapter
        An adapter, or what ``pkg.mod:attr`` may name.
    cells
        What to try it on; None takes 24 real cells.

    Returns
    -------
    For each test (what must hold, ``"passed"``, ``"failed"`` or ``"skipped"``, why).
    """
    contract = AdapterContract()
    wrapped = contract._wrap(adapter)
    given: dict[str, Any] = {"wrapped": wrapped, "cells": some_cells() if cells is None else cells}
    found = []
    for name, test in vars(AdapterContract).items():
        if not name.startswith("test_"):
            continue
        outcome, why = "passed", ""
        try:
            if "rows" in inspect.signature(test).parameters and "rows" not in given:
                given["rows"] = wrapped.embed(given["cells"])
            test(contract, **{key: given[key] for key in inspect.signature(test).parameters if key != "self"})
        except pytest.skip.Exception as skipped:
            outcome, why = "skipped", str(skipped)
        except (Exception, pytest.fail.Exception) as error:  # the boundary to a model: it may fail in any way
            outcome, why = "failed", in_words(error)
        found.append((str(test.__doc__).partition("\n")[0], outcome, why))
    return found


def _needs_steadiness(wrapped: Adapter) -> None:
    """Skip what a model of one's own that draws chance cannot do; an adapter keys its draws by seed and cell."""
    if is_foreign(wrapped) and wrapped.info.stochastic:
        pytest.skip("the model declares that it draws chance; a gate checks that its rows stay with their cells")


def _needs_independence(wrapped: Adapter) -> None:
    _needs_steadiness(wrapped)
    if not wrapped.info.independent_cells:
        pytest.skip("the model declares that it looks across cells")


def _with_genes(dataset: Dataset, genes: npt.NDArray[np.intp]) -> Dataset:
    """Return the dataset with the columns ``genes``."""
    counts = sp.csr_matrix(dataset.counts[:, genes])
    counts.sort_indices()
    ensembl = None if dataset.ensembl is None else dataset.ensembl[genes]
    return replace(dataset, counts=counts, symbols=dataset.symbols[genes], ensembl=ensembl)


def _with_two_types(dataset: Dataset) -> Dataset:
    """Return the dataset with labels that a Dataset accepts; models do not see them."""
    return replace(dataset, cell_types=np.where(np.arange(dataset.n_cells) % 2, "odd", "even"))

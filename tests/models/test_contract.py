"""The shipped adapters keep the contract, and an adapter that breaks it is caught."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter, ModelInfo
from zsgate.testing import AdapterContract, some_cells


@pytest.fixture(
    scope="module", params=["scgpt_human", "geneformer_v1_10m", "geneformer_v2_104m", "scimilarity", "scfoundation"]
)
def adapter(
    request: pytest.FixtureRequest,
    tiny_scgpt: Callable[..., Adapter],
    tiny_geneformer: Callable[..., Adapter],
) -> Adapter:
    """Return each shipped adapter in a tiny size."""
    name = request.param
    if name.startswith("geneformer"):
        return tiny_geneformer(name)
    tiny: Adapter = tiny_scgpt() if name == "scgpt_human" else request.getfixturevalue(f"tiny_{name}")
    return tiny


class TestShippedAdapters(AdapterContract):
    """scGPT; Geneformer without special tokens and with them; models of the other families."""


class Sorted:
    """Breaks rule 2: returns rows by falling depth, as an extractor that sorts cells by length does."""

    def __init__(self, model: Adapter) -> None:
        self.model = model
        self.info, self.fingerprint = model.info, model.fingerprint

    def embed(self, dataset: Dataset) -> np.ndarray:
        """Return the rows in the wrong order."""
        return self.model.embed(dataset)[np.argsort(-dataset.counts.getnnz(axis=1), kind="stable")]


class Global(Sorted):
    """Breaks rule 4: draws from NumPy's global generator."""

    def embed(self, dataset: Dataset) -> np.ndarray:
        """Return rows with global noise."""
        rows = self.model.embed(dataset)
        return (rows + np.random.random(rows.shape)).astype(np.float32)  # noqa: NPY002


@pytest.mark.parametrize(
    ("broken", "rule"), [(Sorted, "test_rows_follow_the_cells"), (Global, "test_chance_is_not_global")]
)
def test_a_broken_adapter_fails_its_rule(
    broken: type[Sorted], rule: str, tiny_geneformer: Callable[..., Adapter]
) -> None:
    """An adapter that sorts its rows, or draws from a global generator, fails the test that says so."""
    cells = some_cells(12)
    adapter = broken(tiny_geneformer())
    with pytest.raises(AssertionError):
        getattr(AdapterContract(), rule)(adapter, cells, adapter.embed(cells))


class Chancy:
    """A model of one's own that says that it draws chance."""

    stochastic = True

    def embed(self, adata) -> np.ndarray:  # type: ignore[no-untyped-def]
        """Return a few counts and noise of this call."""
        return adata.X[:, :5].toarray() + np.random.default_rng().random((adata.n_obs, 5))


def test_a_model_that_draws_chance_skips_what_it_cannot_keep() -> None:
    """Rules 2 to 6 compare two calls; they are skipped with the reason, and rule 1 stands."""
    contract, cells = AdapterContract(), some_cells(12)
    wrapped = AdapterContract.wrapped.__wrapped__(contract, Chancy())  # type: ignore[attr-defined]
    rows = wrapped.embed(cells)
    contract.test_one_finite_float32_row_a_cell(wrapped, cells, rows)
    for rule in ("rows_follow_the_cells", "a_cell_does_not_see_its_company", "chance_is_not_global"):
        with pytest.raises(pytest.skip.Exception, match="it draws chance; a gate checks that its rows stay"):
            getattr(contract, f"test_{rule}")(wrapped, cells, rows)


class Declared(Chancy):
    """A model of one's own that declares all that an adapter has."""

    stochastic = False
    info = ModelInfo(name="declared")
    fingerprint = "1"

    def embed(self, adata) -> np.ndarray:  # type: ignore[no-untyped-def]
        """Return the counts of a few genes, by name."""
        return adata[:, sorted(adata.var_names)[:500]].X.toarray()


def test_a_model_of_ones_own_that_looks_like_an_adapter_says_that_it_takes_anndata() -> None:
    """It has info and fingerprint, so it is taken for an adapter unless the class says otherwise."""

    class OfDeclared(AdapterContract):
        takes_anndata = True

    cells = some_cells(12)
    usual, told = (kind.wrapped.__wrapped__(kind(), Declared()) for kind in (AdapterContract, OfDeclared))  # type: ignore[attr-defined]
    assert type(usual) is Declared
    contract = OfDeclared()
    contract.test_one_finite_float32_row_a_cell(told, cells, told.embed(cells))
    contract.test_rows_follow_the_cells(told, cells, told.embed(cells))

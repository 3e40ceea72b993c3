"""The shipped adapters keep the contract, and an adapter that breaks it is caught."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter
from zsgate.testing import AdapterContract, some_cells


@pytest.fixture(scope="module", params=["scgpt_human", "geneformer_v1_10m", "geneformer_v2_104m"])
def adapter(
    request: pytest.FixtureRequest,
    tiny_scgpt: Callable[..., Adapter],
    tiny_geneformer: Callable[..., Adapter],
) -> Adapter:
    """Return each shipped adapter in a tiny size."""
    name = request.param
    return tiny_scgpt() if name.startswith("scgpt") else tiny_geneformer(name)


class TestShippedAdapters(AdapterContract):
    """scGPT; Geneformer without special tokens and with them."""


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

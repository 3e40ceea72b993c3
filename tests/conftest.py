"""What several tests share: real data, a hermetic cache, a pytester that runs the gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from webserver import Place

from zsgate.data.dataset import Dataset


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real files that not everyone has; set by ZSGATE_TEST_DATA."""
    place = os.environ.get("ZSGATE_TEST_DATA")
    if place is None:
        pytest.skip("set ZSGATE_TEST_DATA to the folder of real test data")
    folder = Path(place)
    assert (folder / "data").is_dir(), f"ZSGATE_TEST_DATA={place} has no folder data/"
    return folder


@pytest.fixture(scope="session")
def pancreas() -> Dataset:
    """Return the quick tier's cells: 1,500 real ones."""
    from zsgate.data.catalogue.load import load

    return load("pancreas_quick")


@pytest.fixture(scope="session")
def few_cells(pancreas: Dataset) -> Dataset:
    """Return 240 real cells of 12 donors, 20 of each, for tests that need speed more than size."""
    donors, sizes = np.unique(pancreas.donors, return_counts=True)
    largest = donors[np.argsort(-sizes, kind="stable")[:12]]
    rows = np.concatenate([np.flatnonzero(pancreas.donors == donor)[:20] for donor in largest])
    return pancreas.subset(np.sort(rows), name="few_cells")


@pytest.fixture
def place() -> Iterator[Place]:
    """Return a running web server."""
    server = Place()
    yield server
    server.close()

"""A store of its own for each test."""

from __future__ import annotations

import pytest

from zsgate.system import arrays
from zsgate.system.store import Store


@pytest.fixture
def store(tmp_path):
    """Return a store in an empty folder."""
    return Store(tmp_path / "store")


@pytest.fixture
def small_is_large(monkeypatch):
    """Keep every array of more than 64 bytes in a file of its own."""
    monkeypatch.setattr(arrays, "IN_MEMORY", 64)

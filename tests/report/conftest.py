"""The made records as fixtures."""

from __future__ import annotations

from typing import Any

import pytest
from made_records import MAKERS, sample


@pytest.fixture
def record() -> dict[str, Any]:
    """Twenty verdicts of a lost gate."""
    return sample()


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def any_record(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each of the made records in turn."""
    return request.param()

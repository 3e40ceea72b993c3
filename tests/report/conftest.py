"""The made records as fixtures."""

from __future__ import annotations

import pytest
from made_records import MAKERS, sample

from zsgate.report.record import Record


@pytest.fixture
def record() -> Record:
    """Twenty verdicts of a lost gate."""
    return sample()


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def any_record(request: pytest.FixtureRequest) -> Record:
    """Each of the made records in turn."""
    return request.param()

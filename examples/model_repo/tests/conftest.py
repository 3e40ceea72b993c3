"""A model that was trained for a few steps, made once for all tests."""

from __future__ import annotations

import pytest

from isletgpt.checkpoint import Checkpoint
from isletgpt.pretrain import Plan, pretrain


@pytest.fixture(scope="session")
def trained() -> tuple[Checkpoint, list[float]]:
    """Return a checkpoint and the loss of each of its 20 steps."""
    return pretrain(Plan(steps=20, seed=0))

"""What loads the tiny UCE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zsgate.models.families.uce.adapter import UCE
from zsgate.models.families.uce.load import load


@pytest.fixture(scope="session")
def tiny_uce(uce_folder: Path) -> Callable[..., UCE]:
    """Return what loads the tiny UCE."""

    def made(**options: object) -> UCE:
        return load("uce_4l", weights=uce_folder, device="cpu", offline=True, **options)  # type: ignore[arg-type]

    return made

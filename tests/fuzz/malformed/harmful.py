"""Harmful: a pickle that runs code, which no reader may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Harmful:
    """What runs code when it is unpickled."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        """Return a call that leaves a file."""
        return Path.touch, (Path(self.mark),)

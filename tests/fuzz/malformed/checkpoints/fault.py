"""A fault of a checkpoint, by what it is done to, and what is to come of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

# the sound one's rows; these or a refusal; a refusal; rows that are finite, or a refusal
Effect = Literal["same", "kept", "refused", "finite"]
Fault = Callable[[Path, int, int, Path], Effect]
State = dict[str, Any]

"""isletgpt: a small transformer of human pancreas cells, pretrained by masked expression, and gated by zsgate."""

from __future__ import annotations

from isletgpt.adapter import Model

__all__ = ["Model"]

"""What a model says of a cell's genes: the form of it, which genes are hidden, and what they truly are."""

from __future__ import annotations

from zsgate.models.reconstruction.hiding import hidden
from zsgate.models.reconstruction.reconstruction import SCALES, Reconstruction, Scale

__all__ = ["SCALES", "Reconstruction", "Scale", "hidden"]

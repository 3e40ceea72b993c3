"""Shift: by how much a score moves when rows move as far as they were seen to move."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.models.embedding import Embedding
from zsgate.run.checks.stability import CHANCE, STEADY
from zsgate.system import arrays

if TYPE_CHECKING:
    from zsgate.metrics.metric import Metric

Rows = npt.NDArray[np.float32]


def shift(metric: Metric, embedding: Embedding, dataset: Dataset) -> float:
    """Return by how much a score moves when every row moves as far as rows were seen to move; 0 for a steady model.

    Moves by chance count where there is one draw: the spread of several is in the interval already.

    Parameters
    ----------
    metric
        The metric of the score.
    embedding
        The candidate's, with what was checked in its notes.
    dataset
        The cells that are scored.
    """
    if not (found := embedding.notes.get("checks", [])):
        return 0.0
    covered = CHANCE if len(embedding.draws) > 1 else 0.0
    typical = max((each["typical"] for each in found if each["moved"] > _steady(each, covered)), default=0.0)
    if not typical:
        return 0.0
    generator = np.random.default_rng(int(dataset.cells_digest[:16], 16))
    moved = tuple(_shaken(draw, typical, generator) for draw in embedding.draws)
    return abs(metric(replace(embedding, draws=moved), dataset).value - metric(embedding, dataset).value)


def _steady(found: dict[str, Any], covered: float) -> float:
    """Return how far a row may move and count as steady."""
    return float(max(STEADY * found["apart"], covered * found.get("chance", 0.0)))


def _shaken(rows: Rows, typical: float, generator: np.random.Generator) -> Rows:
    """Return the rows, each moved in a random direction by about ``typical``."""
    moved = arrays.empty(rows.shape)
    for part in arrays.stretches(rows):
        step = generator.standard_normal(rows[part].shape) * typical / np.sqrt(rows.shape[1])
        moved[part] = rows[part] + step
    return moved

"""The two-dimensional layout is umap-learn's on exact neighbours, and the confusion is that of the scored partition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score

from zsgate.metrics import nmi
from zsgate.metrics.neighbours.layout import layout
from zsgate.models.embedding import Embedding


def groups(n_cells: int = 300, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return three groups of cells far apart, and which is whose."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_cells) % 3
    return (rng.normal(size=(n_cells, d)) + 30 * np.eye(d)[labels]).astype(np.float32), labels


@pytest.mark.slow
def test_groups_that_lie_apart_stay_apart() -> None:
    """Each cell's nearest neighbour in the picture is of its group; positions fill the square; the same each time."""
    pytest.importorskip("umap")
    rows, labels = groups()
    places = layout(rows)
    assert (places.min(), places.max()) == (0, 1)
    distances = np.linalg.norm(places[:, None] - places, axis=2) + 9 * np.eye(len(rows))
    assert (labels[distances.argmin(axis=1)] == labels).all()
    assert (layout(rows) == places).all()


@pytest.mark.slow
@pytest.mark.parametrize("spoil", ["equal", "one dimension", "copies", "huge"])
def test_any_rows_have_a_picture(spoil: str) -> None:
    """Rows without shape, with one dimension, half of them copies, or one of them far away: finite positions."""
    pytest.importorskip("umap")
    rows, _ = groups(120)
    rows = {
        "equal": np.ones_like(rows),
        "one dimension": rows[:, :1],
        "copies": rows[np.arange(120) // 2 * 2],
        "huge": rows + np.eye(120, 8, dtype=np.float32) * 1e8,
    }[spoil]
    places = layout(rows)
    assert places.shape == (120, 2)
    assert np.isfinite(places).all()


def test_the_confusion_is_that_of_the_partition_that_was_scored() -> None:
    """Its NMI, by scikit-learn, is the first draw's score; its columns have the cells of the types."""
    rng = np.random.default_rng(1)
    labels = np.repeat(list("abcd"), [90, 60, 40, 10])
    rows = rng.normal(size=(200, 5)) + 1.2 * rng.normal(size=(4, 5))[np.unique(labels, return_inverse=True)[1]]
    score = nmi(Embedding.of(rows.astype(np.float32)), labels)
    table = np.array(score.confusion)
    assert table.sum(axis=0).tolist() == [90, 60, 40, 10]
    clusters, types = np.nonzero(table)
    counts = table[clusters, types]
    found = normalized_mutual_info_score(np.repeat(types, counts), np.repeat(clusters, counts))
    assert score.draws[0] == pytest.approx(found, abs=1e-9)

"""A run in which everything is too large for memory ends as the same run in memory, to the last bit."""

from __future__ import annotations

import pytest

LIMITS = """
from zsgate.data import counts, read
from zsgate.data.file import matrix
from zsgate.system import arrays

arrays.IN_MEMORY, arrays.STRETCH, read.IN_MEMORY = 2000, 20_000, 1000
matrix.BLOCK = counts.BLOCK = 100_000
"""
SELECT = ("-k", "hvg and (asw or nmi or batch_score or bras)", "--metrics=bras")


@pytest.mark.slow
def test_everything_on_disk_gives_the_same_verdicts(gate, project, verdict):
    """Counts, embeddings, halves and controls: the same scores, differences and intervals; rows kept as .npy files."""
    gate("models:Trained", *SELECT)
    held = verdict()
    assert not list((project.path / "cache").rglob("*.npy"))
    project.makepyfile(limits=LIMITS)
    result = gate("models:Trained", "-p", "limits", "--cache=elsewhere", *SELECT)
    found = verdict()

    assert result.ret in (0, 1)
    assert list((project.path / "elsewhere" / "embedding").glob("*.npy"))
    assert list((project.path / "elsewhere" / "prepared").glob("*/data"))
    assert {each["metric"] for each in found["scores"]} >= {"asw", "nmi", "batch_score", "bras"}
    assert found["scores"] == held["scores"]
    assert [each["ci"] for each in found["verdicts"]] == [each["ci"] for each in held["verdicts"]]
    assert [each["sentence"] for each in found["controls"]] == [each["sentence"] for each in held["controls"]]

"""Checkpoints keep the rows of cells in whatever form these are presented."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter
from zsgate.run.changed.invariances import check


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["scgpt_human", "geneformer_v1_10m", "geneformer_v2_104m"])
def test_tiny_checkpoints_pass(request: pytest.FixtureRequest, few_cells: Dataset, name: str, dtype: str) -> None:
    """Of random weights, whose rows lie close together; float32 moves none by a thousandth of two cells' distance."""
    made: Callable[..., Adapter] = request.getfixturevalue("tiny_scgpt" if "scgpt" in name else "tiny_geneformer")
    model = made(dtype=dtype) if "scgpt" in name else made(name, dtype=dtype)
    held = check(model, few_cells)
    forms = {each.check for each in held}
    assert len(forms) == 5
    moved = np.array([each.moved / each.apart for each in held])
    assert moved.max() < (1e-3 if dtype == "float32" else 0.1), dict(zip(forms, moved, strict=True))

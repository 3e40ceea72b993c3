"""Checkpoints of the published sizes and formats, with random weights, load and embed."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

from benchmarks.checkpoints import make_geneformer, make_scgpt
from zsgate.models import MODELS, load
from zsgate.models.checkpoints import CHECKPOINTS
from zsgate.testing import some_cells

CLASS_DECODER = 2 * (512 * 512 + 512 + 2 * 512) + 513  # upstream's module counts it, the published file lacks it


def test_every_checkpoint_has_a_loader() -> None:
    """All 13 names of the catalogue are models, and each leads to a function that loads it."""
    assert len(CHECKPOINTS) == 13
    for name, checkpoint in CHECKPOINTS.items():
        assert name == checkpoint.name
        assert callable(resolve_name(MODELS[name]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make", "parameters", "width"),
    [
        ("scgpt_human", make_scgpt, 51_856_898 - CLASS_DECODER, 512),
        ("geneformer_v1_10m", make_geneformer, 10_288_722, 256),
    ],
)
def test_full_size_checkpoints_load_and_embed(name, make, parameters, width, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The script's files have the published number of parameters, load strictly, and give finite rows."""
    folder = make(tmp_path / name, None)
    model = load(name, weights=folder, cache=tmp_path)
    assert sum(tensor.numel() for tensor in model.state.values()) == parameters
    cells = some_cells(4)
    for each in (model, model.random_init(0)):
        rows = each.embed(cells)
        assert rows.shape == (4, width)
        assert np.isfinite(rows).all()

"""BRAS is that of scib-metrics."""

from __future__ import annotations

import importlib.util

import pytest

from zsgate.metrics import (
    bras,
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("scib_metrics") is None, reason="scib-metrics is not installed")
def test_bras_is_that_of_scib_metrics(some):
    """To 1e-4 on real cells: theirs is computed in float32, and cells at the origin can cost it 0.04."""
    import scib_metrics

    dataset, rows = some
    theirs = scib_metrics.metrics.bras(rows, dataset.cell_types, dataset.batches)
    assert bras(rows, dataset).value == pytest.approx(float(theirs), abs=1e-4)

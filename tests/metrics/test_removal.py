"""Metrics without a short cut: leave-outs are the values of the cells that remain, and what each card says holds."""

from __future__ import annotations

import numpy as np
import pytest

from zsgate.metrics import (
    METRICS,
    graph_connectivity,
    isolated_labels,
    label_transfer,
    pcr,
    pcr_comparison,
)

OWN = ("graph_connectivity", "label_transfer", "isolated_labels", "bras", "pcr")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_scib_s_own_values(some, adata, scib):
    """graph_connectivity to 1e-12, isolated labels to 1e-6, PCR of 50 dimensions to 1e-6 of scib 1.1.7."""
    dataset, rows = some
    assert graph_connectivity(rows, dataset).value == pytest.approx(
        scib.metrics.graph_connectivity(adata, label_key="label"), abs=1e-12
    )
    theirs = scib.metrics.isolated_labels_asw(adata, "label", "batch", embed="X_emb", verbose=False)
    assert isolated_labels(rows, dataset).value == pytest.approx(theirs, abs=1e-6)
    theirs = scib.metrics.pcr(adata, covariate="batch", embed="X_emb", n_comps=50)
    assert pcr(rows, dataset).value == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_leave_outs_are_the_values_of_who_remains(name, some):
    """What the metric gives when a donor's cells were never there; 1e-7 where distances are float32."""
    dataset, rows = some
    score = METRICS[name](rows, dataset)
    units = np.array(score.units)
    assert len(units) == 20
    for unit in (0, 7, 19):
        remaining = np.flatnonzero(dataset.donors != units[unit])
        alone = METRICS[name](rows[remaining], dataset.subset(remaining))
        tolerance = 1e-7 if name == "isolated_labels" else 1e-9
        assert score.leave_outs[unit] == pytest.approx(alone.value, abs=tolerance), unit


def test_noise_is_told_from_signal(some):
    """Noise carries no labels and wins what only asks for mixing, as the cards say."""
    dataset, rows = some
    noise = np.random.default_rng(0).normal(size=rows.shape).astype(np.float32)
    ours, dead = ({name: METRICS[name](each, dataset).value for name in OWN} for each in (rows, noise))
    assert dead["label_transfer"] < 0.3 < 0.6 < ours["label_transfer"]
    assert dead["isolated_labels"] < ours["isolated_labels"] + 0.05
    assert dead["bras"] > 0.9
    assert dead["pcr"] < 0.05 < ours["pcr"]


def test_what_a_metric_needs_is_said(some):
    """Without donors there is no transfer, without a Dataset no counts."""
    dataset, rows = some
    with pytest.raises(ValueError, match="label_transfer needs the donor"):
        label_transfer(rows, dataset.cell_types)
    with pytest.raises(ValueError, match="pass the Dataset"):
        pcr_comparison(rows, dataset.cell_types, batches=dataset.batches)


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.on_request])
def test_what_runs_on_request_is_advisory(metric):
    """A metric nobody asked for decides nothing, and its card says how it fails."""
    assert metric.advisory
    assert len(metric.card) > 150

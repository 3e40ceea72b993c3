"""Embeddings of known worth get the verdicts they deserve, or no verdict of this run counts."""

import pytest

from zsgate.fixtures.controls import TABLE
from zsgate.metrics import METRICS, nmi

CASES = [
    pytest.param(control, baseline, METRICS[metric], id=f"{control.name}-{baseline}-{metric}")
    for control in TABLE
    for baseline in control.baselines
    for metric in control.metrics
]


@pytest.mark.parametrize(("control", "baseline", "metric"), CASES, indirect=["control", "baseline"])
def test_gets_what_it_deserves(control, baseline, dataset, metric, prove):
    ours = metric(control.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)
    signal = nmi(control.embed(dataset), dataset), nmi(control.shuffled(dataset), dataset)

    proof = prove(ours, theirs, provided=signal if metric.uses_batches else None)

    assert proof


def test_constant_is_refused(dataset, refuse):
    assert refuse([[1.0, 2.0]] * dataset.n_cells)


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.clusters])
def test_stale_graph_changes_nothing(dataset, metric, stale):
    assert stale(metric)

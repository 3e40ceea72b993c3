"""Embeddings of known worth get the verdicts they deserve, or no verdict of this run counts."""

import pytest

from zsgate.metrics import EVERY, METRICS, knn_purity
from zsgate.run.checks.controls import COPIES, DEAD, KNOWN


def cases(controls):
    return [
        pytest.param(control, baseline, EVERY[metric], id=f"{control.name}-{baseline}-{metric}")
        for control in controls
        for baseline in control.baselines
        for metric in control.metrics
    ]


@pytest.mark.parametrize(("control", "baseline", "metric"), cases(KNOWN), indirect=["control", "baseline"])
def test_gets_what_it_deserves(control, baseline, dataset, metric, prove):
    ours = metric(control.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)

    proof = prove(ours, theirs)

    assert proof


@pytest.mark.parametrize(("control", "baseline", "metric"), cases(DEAD["cell types"]), indirect=["control", "baseline"])
def test_separating_without_signal_fails(control, baseline, dataset, metric, prove):
    ours = metric(control.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)
    signal = ours, metric(control.shuffled(dataset), dataset)

    proof = prove(ours, theirs, signal=signal)

    assert proof


@pytest.mark.parametrize(("control", "baseline", "metric"), cases(DEAD["batches"]), indirect=["control", "baseline"])
def test_mixing_without_cell_types_fails(control, baseline, dataset, metric, prove):
    ours = metric(control.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)
    floor = knn_purity(control.embed(dataset), dataset), knn_purity(baseline.embed(dataset), dataset)

    proof = prove(ours, theirs, floor=floor)

    assert proof


@pytest.mark.parametrize(("control", "baseline", "metric"), cases(COPIES), indirect=["control", "baseline"])
def test_a_copy_proves_nothing(control, baseline, dataset, metric, prove):
    ours = metric(control.reconstruct(dataset, metric.masked))
    theirs = metric(baseline.reconstruct(dataset, metric.masked))

    proof = prove(ours, theirs, objection=control.only_copies(dataset, metric))

    assert proof


def test_constant_is_refused(dataset, refuse):
    proof = refuse([[1.0, 2.0]] * dataset.n_cells)

    assert proof


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.clusters])
def test_stale_graph_changes_nothing(dataset, metric, stale):
    proof = stale(metric)

    assert proof

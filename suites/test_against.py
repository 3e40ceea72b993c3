"""The candidate does better than another model, or than an earlier run says of one.

Collected with ``--against``; the same metrics, cells and terms as against the baselines.
"""

import pytest

from zsgate.metrics import METRICS, knn_purity
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION
from zsgate.metrics.robustness.metric import ROBUSTNESS


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.claim == "cell types"])
def test_separates_cell_types(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.embed(dataset), dataset)
    theirs = baseline.score(metric, dataset)
    signal = ours, metric(candidate.shuffled(dataset), dataset)

    verdict = judge(ours, theirs, signal=signal)

    assert verdict


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.claim == "batches"])
def test_mixes_batches(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.embed(dataset), dataset)
    theirs = baseline.score(metric, dataset)
    floor = knn_purity(candidate.embed(dataset), dataset), baseline.score(knn_purity, dataset)

    verdict = judge(ours, theirs, floor=floor)

    assert verdict


@pytest.mark.parametrize("metric", ROBUSTNESS.values())
def test_recognises_poorer_cells(candidate, baseline, dataset, metric, judge):
    copies = candidate.copies(dataset, metric)
    ours, theirs = metric(copies), baseline.score(metric, dataset)
    signal = ours, metric(copies.shuffled)

    verdict = judge(ours, theirs, signal=signal)

    assert verdict


@pytest.mark.parametrize("metric", RECONSTRUCTION.values())
def test_predicts_genes(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.reconstruct(dataset, metric.masked))
    theirs = baseline.score(metric, dataset)
    reasons = candidate.only_copies(dataset, metric), baseline.other_targets(dataset, metric)

    verdict = judge(ours, theirs, objection="; ".join(filter(None, reasons)))

    assert verdict

"""Batches mix better within cell types in the candidate's embedding than in a baseline's.

The batch integration trial of Kedzierska et al., Genome Biology 26:101 (2025). Noise mixes batches best of all, so
the verdict counts only if the embedding separates cell types no worse than the baseline does.
"""

import pytest

from zsgate.metrics import METRICS, knn_purity


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.claim == "batches"])
@pytest.mark.parametrize("baseline", ["hvg", "pca", "scvi", "harmony", "random_init"], indirect=True)
def test_mixes_batches(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)
    floor = knn_purity(candidate.embed(dataset), dataset), knn_purity(baseline.embed(dataset), dataset)

    verdict = judge(ours, theirs, floor=floor)

    assert verdict

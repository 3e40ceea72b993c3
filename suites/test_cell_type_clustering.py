"""Cell types separate better in the candidate's embedding than in a baseline's.

The zero-shot clustering trial of Kedzierska et al., Genome Biology 26:101 (2025). A silhouette of noise is not the
lowest there is, so a verdict counts only if the score also beats that of the embedding's own rows in random order.
"""

import pytest

from zsgate.metrics import METRICS, avg_bio

SEPARATING = [metric for metric in METRICS.values() if metric.claim == "cell types"]


@pytest.mark.parametrize("metric", [avg_bio, *(metric for metric in SEPARATING if metric is not avg_bio)])
@pytest.mark.parametrize("baseline", ["hvg", "pca", "scvi", "harmony", "random_init"], indirect=True)
def test_separates_cell_types(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)
    signal = ours, metric(candidate.shuffled(dataset), dataset)

    verdict = judge(ours, theirs, signal=signal)

    assert verdict

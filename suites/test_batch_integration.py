"""Batches mix better within cell types in the candidate's embedding than in a baseline's.

The batch integration trial of Kedzierska et al., Genome Biology 26:101 (2025). Noise mixes batches best of all, so
the verdict counts only if the embedding tells cell types apart better than its own rows in random order do.
"""

import pytest

from zsgate.metrics import avg_batch, batch_score, bras, ilisi, kbet, nmi, pcr, pcr_comparison

ON_REQUEST = [bras, pcr, pcr_comparison, avg_batch, ilisi, kbet]


@pytest.mark.parametrize("metric", [batch_score, *ON_REQUEST])
@pytest.mark.parametrize("baseline", ["hvg", "pca", "scvi", "random_init"], indirect=True)
def test_mixes_batches(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)
    signal = nmi(candidate.embed(dataset), dataset), nmi(candidate.shuffled(dataset), dataset)

    verdict = judge(ours, theirs, signal=signal)

    assert verdict

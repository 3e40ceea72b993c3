"""Cell types separate better in the candidate's embedding than in a baseline's.

The zero-shot clustering trial of Kedzierska et al., Genome Biology 26:101 (2025). A silhouette of noise is not the
lowest there is, so a verdict counts only if the score also beats that of the embedding's own rows in random order.
"""

import pytest

from zsgate.metrics import (
    ari,
    asw,
    avg_bio,
    clisi,
    graph_connectivity,
    isolated_labels,
    isolated_labels_f1,
    label_transfer,
    nmi,
)

ON_REQUEST = [graph_connectivity, label_transfer, isolated_labels, isolated_labels_f1, clisi]


@pytest.mark.parametrize("metric", [avg_bio, asw, nmi, ari, *ON_REQUEST])
@pytest.mark.parametrize("baseline", ["hvg", "pca", "scvi", "random_init"], indirect=True)
def test_separates_cell_types(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.embed(dataset), dataset)
    theirs = metric(baseline.embed(dataset), dataset)
    signal = ours, metric(candidate.shuffled(dataset), dataset)

    verdict = judge(ours, theirs, signal=signal)

    assert verdict

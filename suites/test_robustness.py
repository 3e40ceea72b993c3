"""Cells that are poorer in counts are recognised better in the candidate's embedding than in a baseline's.

Half the depth, a fifth of the genes missing, a targeted panel's genes only, a tenth of the counts from the medium: each
perturbed cell looks for the nearest unperturbed cell of another donor, which should be of its type. Collected where it
is asked for: ``--metrics=robustness``, or one of them; ``require`` makes it decide. Baselines keep what they learnt of
the unperturbed cells.
"""

import pytest

from zsgate.metrics.robustness.metric import ROBUSTNESS


@pytest.mark.parametrize("metric", ROBUSTNESS.values())
@pytest.mark.parametrize("baseline", ["hvg", "pca", "scvi", "random_init"], indirect=True)
def test_recognises_poorer_cells(candidate, baseline, dataset, metric, judge):
    copies = candidate.copies(dataset, metric)
    ours, theirs = metric(copies), metric(baseline.copies(dataset, metric))
    signal = ours, metric(copies.shuffled)

    verdict = judge(ours, theirs, signal=signal)

    assert verdict

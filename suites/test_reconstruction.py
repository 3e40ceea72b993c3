"""Genes are predicted better by the candidate than by an average: what it was pretrained to do.

The reconstruction trial of Kedzierska et al., Genome Biology 26:101 (2025). They show the model every gene, where a
copy of the input is perfect; what decides here is the genes that were hidden.
"""

import pytest

from zsgate.baselines import RANK_AVERAGES, VALUE_AVERAGES
from zsgate.metrics.reconstruction.metric import ERRORS, RANKINGS


@pytest.mark.parametrize("metric", ERRORS)
@pytest.mark.parametrize("baseline", VALUE_AVERAGES, indirect=True)
def test_predicts_expression(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.reconstruct(dataset, metric.masked))
    theirs = metric(baseline.reconstruct(dataset, metric.masked))

    verdict = judge(ours, theirs, objection=candidate.only_copies(dataset, metric))

    assert verdict


@pytest.mark.parametrize("metric", RANKINGS)
@pytest.mark.parametrize("baseline", RANK_AVERAGES, indirect=True)
def test_predicts_ranks(candidate, baseline, dataset, metric, judge):
    ours = metric(candidate.reconstruct(dataset, metric.masked))
    theirs = metric(baseline.reconstruct(dataset, metric.masked))

    verdict = judge(ours, theirs, objection=candidate.only_copies(dataset, metric))

    assert verdict

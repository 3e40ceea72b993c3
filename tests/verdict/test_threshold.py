"""Thresholds of single tests: which counts."""

from __future__ import annotations

from zsgate.verdict.terms import Terms
from zsgate.verdict.threshold import Threshold, terms_for


def test_the_later_of_two_thresholds_counts_key_by_key():
    """What a threshold leaves out is the run's, or an earlier one's; a margin of 0 is a margin."""
    usual = Terms(policy="beats", margin=0.01, paired=False, exchangeable=True)
    given = [
        Threshold(match="*-asw", margin=0.02, threshold=0.5),
        Threshold(match="pancreas", policy="noninferior"),
        Threshold(match="pancreas-hvg", margin=0.05),
        Threshold(match="pancreas-pca", margin=0.0, threshold=0.0),
    ]
    found = terms_for(("pancreas", "hvg", "asw"), given, usual)
    assert found == Terms(policy="noninferior", margin=0.05, threshold=0.5, paired=False, exchangeable=True)
    found = terms_for(("pancreas", "pca", "asw"), given, usual)
    assert (found.margin, found.threshold) == (0.0, 0.0)
    assert terms_for(("immune", "scvi", "nmi"), given, usual) == usual

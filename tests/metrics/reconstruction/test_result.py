"""A result of a pass survives the store, and its sides go by the run's recipe."""

from __future__ import annotations

import json

import pytest
from reconstructors import Bins, Ranks, reconstructed

from zsgate.metrics.reconstruction.result import CANDIDATE, ReconstructionResult
from zsgate.verdict.recipe import DEFAULT, KEDZIERSKA2023


@pytest.mark.parametrize(("model", "masked"), [(Bins(), 0.0), (Bins(), 0.15), (Ranks(longest=50), 0.15)])
def test_the_store_gives_back_what_it_was_given(cells, model, masked):
    """Through JSON and back nothing changes, numbers that are not there (NaN) included."""
    result = reconstructed(model, cells, masked)
    again = ReconstructionResult.from_json(json.loads(json.dumps(result.to_json())))

    assert repr(again) == repr(result)
    assert type(again.units) is tuple


def test_the_recipe_chooses_how_errors_are_averaged(cells):
    """By default cells weigh the same; the paper pools all entries."""
    result = reconstructed(Bins(), cells)
    ours, papers = (result.side(CANDIDATE, recipe) for recipe in (DEFAULT, KEDZIERSKA2023))

    assert (ours.way, papers.way) == ("default", "paper")
    assert ours.columns("mse_gep") == result.columns["default"]["mse_gep"][CANDIDATE]
    assert papers.columns("mse_gep") != ours.columns("mse_gep")

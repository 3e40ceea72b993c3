"""Recipes: an identity that every score carries, and the paper's choices."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from zsgate.metrics import METRICS, asw
from zsgate.models.embedding import Embedding
from zsgate.verdict.recipe import DEFAULT, KEDZIERSKA2023, RECIPES, Recipe
from zsgate.verdict.verdict import judge

NUMBERS = ("n_neighbors", "embedded", "scored")


def test_the_paper_scores_7500_cells_by_20_resolutions():
    """The sweep is 0.1 to 2.0, 15 neighbours; counts, input and training as in the paper."""
    assert KEDZIERSKA2023.scored == 7500
    assert np.allclose(KEDZIERSKA2023.resolutions, np.arange(1, 21) / 10)
    assert KEDZIERSKA2023.n_neighbors == 15
    assert (DEFAULT.hvg_on, KEDZIERSKA2023.hvg_on) == ("counts", "X")
    assert (KEDZIERSKA2023.scvi, KEDZIERSKA2023.preset, KEDZIERSKA2023.in_sample) == ("paper", "paper", True)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe) if field.name != "id"])
def test_every_choice_changes_the_hash_and_the_name_does_not(field):
    """Two recipes of one hash compute the same."""
    other = ({"scvi": "paper", "in_sample": True} | dict.fromkeys(NUMBERS, 2)).get(field, ("x",))
    assert dataclasses.replace(DEFAULT, **{field: other}).hash != DEFAULT.hash
    assert dataclasses.replace(DEFAULT, id="other").hash == DEFAULT.hash


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=str)
def test_a_recipe_is_builtins(recipe):
    """verdict.json holds it."""
    assert json.loads(json.dumps(recipe.as_dict())) == recipe.as_dict()


def test_a_metric_follows_the_embedding_s_recipe():
    """The run's recipe reaches every metric by the embedding; a suite says nothing of it."""
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    labels = np.repeat(["a", "b", "c"], 10)
    theirs = asw(rows, labels)
    ours = asw(dataclasses.replace(Embedding.of(rows), recipe=KEDZIERSKA2023), labels)

    assert theirs.recipe == str(DEFAULT)
    assert ours.recipe == str(KEDZIERSKA2023) == asw(rows, labels, recipe=KEDZIERSKA2023).recipe
    with pytest.raises(ValueError, match="different recipe cannot be compared"):
        judge(ours, theirs)


def test_the_metrics_of_the_paper_decide_by_default():
    """The five metrics the paper reports are not advisory."""
    assert {name for name, metric in METRICS.items() if not metric.advisory} >= {"asw", "nmi", "ari", "avg_bio"}

"""Every metric has the controls of its claim, by being in the table, and the controls do what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zsgate.baselines import RECONSTRUCTION_BASELINES
from zsgate.metrics import EVERY, METRICS, asw, batch_score, nmi
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION
from zsgate.metrics.robustness.metric import ROBUSTNESS
from zsgate.models.embedding import Embedding
from zsgate.run.checks import controls

NEEDED = {
    "cell types": {"oracle", "shuffled", "noise"},
    "batches": {"shuffled", "noise"},
    "genes": {"identity_copy"},
}
ALL = (*controls.KNOWN, *(each for some in controls.DEAD.values() for each in some), *controls.COPIES)
WITHOUT = {"token_cross_entropy_m15", "token_cross_entropy_m40"}  # a copy states no probabilities


@pytest.mark.parametrize("name", sorted(EVERY.keys() - WITHOUT - ROBUSTNESS.keys()))
def test_every_metric_has_the_controls_of_its_claim(name):
    """What claims that cell types lie apart is tried with labels, noise and shuffled rows, and so on.

    Not so robustness: an embedding of known worth is made of labels or of chance, not of poorer counts.
    """
    assert {each.name for each in ALL if name in each.metrics} == NEEDED[EVERY[name].claim]


def test_a_new_metric_gets_its_controls():
    """Being in the table is enough; nothing but its fields decides which they are."""
    separating, mixing = replace(asw, name="new"), replace(batch_score, name="mixes", on_request=True)
    table = (*METRICS.values(), separating, mixing)

    (oracle,) = (each for each in controls.must_win_or_lose(table) if "new" in each.metrics)
    assert (oracle.name, oracle.must, oracle.strict) == ("oracle", "beats", True)
    assert all("new" in each.metrics for each in controls.must_not_pass("cell types", table))
    assert all(each.metrics[-1] == "mixes" for each in controls.must_not_pass("batches", table))
    must = {each.name: each.must for each in controls.must_win_or_lose((replace(nmi, name="new"),)) if each.metrics}
    assert must == {"oracle": "beats", "shuffled": "loses", "noise": "loses"}


def test_only_a_metric_on_request_may_leave_the_oracle_unsure():
    """What every run computes must be shown to see cell types."""
    strict = {name: each.strict for each in controls.KNOWN if each.name == "oracle" for name in each.metrics}
    assert strict == {m.name: not m.on_request for m in METRICS.values() if m.claim == "cell types"}


def test_every_metric_claims_what_its_suite_asks():
    """A metric that mixes batches needs them; one of genes is one of reconstruction, and no other is."""
    assert all(metric.uses_batches for metric in METRICS.values() if metric.claim == "batches")
    assert {name for name, metric in EVERY.items() if metric.claim == "genes"} == RECONSTRUCTION.keys()
    copied_against = {baseline for each in controls.COPIES for baseline in each.baselines}
    assert copied_against == set(RECONSTRUCTION_BASELINES)


def test_controls_are_the_same_for_the_same_cells(few_cells):
    """Their draws come from the cells; a shuffled embedding keeps its rows and deals them to other cells."""
    rows = np.random.default_rng(0).normal(size=(few_cells.n_cells, 5)).astype(np.float32)
    pca = Embedding.of(rows)
    for name in controls.MAKERS:
        first, again = (controls.make(name, few_cells, pca).draws[0] for _ in range(2))
        np.testing.assert_array_equal(first, again)
    dealt = controls.make("shuffled", few_cells, pca).draws[0]
    assert (dealt != rows).any()
    np.testing.assert_array_equal(np.sort(dealt, axis=0), np.sort(rows, axis=0))

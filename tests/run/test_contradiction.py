"""A stored verdict whose figures contradict each other is damaged; those that runs write are not."""

from __future__ import annotations

import pytest
from made_shards import damaged, passing, shard, verdict
from msgspec.structs import replace

from zsgate.report.record import Outcome
from zsgate.run.findings.contradiction import contradiction

SOUND = replace(verdict("lab", "hvg"), ci=(0.05, 0.15))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, ""),
        ({"ours": 0.9}, "a difference of 0.1 between 0.9 and 0.4"),
        ({"difference": 0.3}, "a difference of 0.3 between 0.5 and 0.4"),
        ({"ci": (0.12, 0.2)}, "a difference of 0.1 in an interval from 0.12 to 0.2"),
        ({"ci": (-0.05, 0.15)}, "beats, and its interval from -0.05 to 0.15 says inconclusive"),
        ({"margin": 0.07}, "beats, and its interval from 0.05 to 0.15 says inconclusive"),
        ({"ci": None, "outcome": Outcome.INCONCLUSIVE}, "passed, and the outcome is inconclusive"),
        ({"withdrawn": "noise does it, too"}, "passed, and that this does not count"),
        ({"withdrawn": "noise does it, too", "passed": False, "outcome": Outcome.INCONCLUSIVE}, ""),
        ({"policy": "noninferior", "margin": 0.07}, ""),
        ({"policy": "noninferior", "ci": (-0.05, 0.15), "margin": 0.1, "outcome": Outcome.INCONCLUSIVE}, ""),
        ({"policy": "noninferior", "ci": (-0.05, 0.15), "outcome": Outcome.INCONCLUSIVE}, "passed, and the outcome is"),
        ({"policy": "point", "ci": (-0.05, 0.15), "outcome": Outcome.INCONCLUSIVE}, ""),
        ({"policy": "point", "margin": 0.2, "ci": (0.01, 0.15), "outcome": Outcome.INCONCLUSIVE}, "passed, and"),
        ({"ours": None, "difference": None, "ci": None}, ""),
    ],
)
def test_figures_that_cannot_go_together_are_told(changed, says):
    """By the rules of the three policies."""
    said = contradiction(replace(SOUND, **changed))
    assert says in said
    assert bool(says) == bool(said)


def test_a_shard_with_such_a_verdict_is_damaged():
    """The sentence names the test; the shards of other tests have none."""
    (first, *rest) = shard("lab").record.verdicts
    changed = replace(shard("lab").record, verdicts=(replace(first, ours=0.9), *rest))
    assert f"{first.nodeid} says a difference of 0.1" in replace_record(shard("lab"), changed).damage()
    assert {part.damage() for part in passing()} == {""}
    assert all(says in part.damage() for part, says in damaged(shard("atlas")))


def replace_record(part, record):
    """Return a shard with another record."""
    return type(part)(part.name, record)

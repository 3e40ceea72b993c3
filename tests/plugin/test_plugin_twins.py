"""What untrained twins are worth is said where a verdict against them is read; it decides nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zsgate.baselines import random_projection
from zsgate.data.catalogue.load import load
from zsgate.fixtures.twins import compared
from zsgate.metrics import nmi
from zsgate.models.embedding import Embedding
from zsgate.report.record import TwinsRecord
from zsgate.run.checks.controls import shuffled_twin

SELECT = ("-k", "random_init and asw and test_separates")


def test_twins_of_noise_are_remarked_on(gate, project, verdict):
    """Record, page and terminal say that beating them says little, and the verdict stands."""
    result = gate("models:Sabotaged", *SELECT)

    (judged,) = verdict()["verdicts"]
    assert (judged["outcome"], judged["passed"], result.ret) == ("beats", True, 0)
    (twins,) = verdict()["twins"]
    says = "on cells its untrained twins tell cell types apart no better than their own rows in random order (nmi "
    assert twins["remark"].startswith(says)
    assert twins["remark"].endswith("so beating random_init says little")
    assert twins["value"] < twins["projection"]
    assert f"<b>Remark:</b> {twins['remark']}" in (project.path / "zsgate-report" / "index.html").read_text("utf-8")
    assert f"remark: {twins['remark']}" in " ".join(result.stdout.str().split())


@pytest.mark.slow
def test_honest_twins_are_not_and_nothing_is_made_twice(gate, verdict):
    """Random weights are as good as a random projection; workers make each thing once, a second run nothing."""
    gate("models:Mixing", *SELECT, "-n", "2")

    (twins,) = verdict()["twins"]
    assert twins["remark"] == ""
    assert min(twins["value"], twins["projection"]) > twins["shuffled"]
    assert [each["name"] for each in verdict()["baselines"]].count("random_projection") == 1
    gate("models:Mixing", *SELECT)
    embedded = [each for each in verdict()["timings"] if each["what"].startswith("embed")]
    assert {each["what"] for each in embedded} >= {"embed random_init", "embed random_projection"}
    assert all(each["cached"] for each in embedded)
    assert verdict()["twins"] == [twins]


@pytest.mark.slow
def test_a_plan_knows_of_it(gate):
    """What twins are held against is planned, and in the store after a run."""
    gate("models:Trained", *SELECT)
    planned = gate("models:Trained", "--plan", *SELECT)
    for line in ("embed random_projection", "score random_projection", "score shuffled rows of random_init"):
        planned.stdout.fnmatch_lines([f"  {line} *in the store*"])
    assert "to make" not in planned.stdout.str()


def test_without_twins_there_is_nothing_to_say(gate, verdict):
    """A model that has none, and a run that compares with none, hold nothing against anything."""
    gate("models:Trained", "-k", "pca and asw and test_separates")
    assert verdict()["twins"] == []
    assert "random_projection" not in {each["name"] for each in verdict()["baselines"]}


def test_twins_of_two_rows_break_the_gate(gate, verdict):
    """They are no baseline: exit 3, and whose fault it is."""
    result = gate("models:TwoRows", *SELECT)

    assert result.ret == 3
    assert "has 2 different rows for 240 cells" in verdict()["failures"][0]["message"]


@pytest.fixture(scope="module")
def dataset():
    """Return 1,500 real cells of 20 donors."""
    return load("pancreas_quick")


@pytest.fixture(scope="module")
def found(dataset):
    """Return a function from rows to what twins of such rows are worth."""
    projection = nmi(Embedding.of(random_projection.embed(dataset)[0]), dataset)

    def found(*twins: np.ndarray) -> TwinsRecord:
        every, one = Embedding.of(list(twins)), replace(Embedding.of(twins[0]), clusterings=1)
        return compared(dataset.name, nmi(every, dataset), projection, nmi(shuffled_twin(one, dataset), dataset))

    return found


def test_worse_than_a_projection_is_said_with_the_figures(found, dataset):
    """Depth alone tells types apart a little: better than nothing, clearly worse than a projection of the counts."""
    depth = np.log1p(np.asarray(dataset.counts.sum(axis=1)))
    noise = [np.random.default_rng(seed).normal(size=(len(depth), 2)) / 4 for seed in range(3)]
    twins = found(*(np.hstack([depth, each]) for each in noise))
    figures = f"nmi {twins.value:.2f} against {twins.projection:.2f}"
    assert twins.remark == (
        f"on pancreas_quick its untrained twins are worse than a random projection of the counts ({figures}), "
        "so beating random_init says little"
    )


def projected(dataset, seed):
    return dataset.counts.log1p() @ np.random.default_rng(seed).normal(size=(len(dataset.symbols), 64))


@pytest.mark.parametrize("seed", [100, 200])
@pytest.mark.parametrize("n_twins", [1, 3])
def test_other_projections_are_no_worse(found, dataset, seed, n_twins):
    """Twins that are what a projection is get no remark, one twin or three."""
    assert found(*(projected(dataset, seed + twin) for twin in range(n_twins))).remark == ""


def test_without_donors_a_clear_difference_counts(dataset):
    """Where there is no interval, 0.05 of nmi is clear."""
    bare = replace(dataset, donors=None)
    rows = random_projection.embed(bare)[0][0]
    noise = np.random.default_rng(0).normal(size=(bare.n_cells, 8))
    projection, dead, shuffled = (nmi(each, bare) for each in (rows, noise, np.roll(rows, 700, axis=0)))
    assert "no better than" in compared("it", dead, projection, shuffled).remark
    assert compared("it", projection, projection, shuffled).remark == ""

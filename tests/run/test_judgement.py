"""Judgements: what a dead model earns by chance does not count, and what excuses a verdict that does not pass."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from zsgate.config.config import Config
from zsgate.data.dataset import Dataset
from zsgate.data.leakage.exposure import Exposure
from zsgate.metrics import asw, nmi
from zsgate.models.embedding import Embedding
from zsgate.report.record import Outcome, PretrainingRecord, VerdictRecord, WaiverTerms
from zsgate.run.checks import controls
from zsgate.run.findings.judgement import Judgement, judge_in_run
from zsgate.run.reference import Reference
from zsgate.verdict.score import Score
from zsgate.verdict.terms import Names, Signal, Terms
from zsgate.verdict.threshold import Threshold
from zsgate.verdict.verdict import judge
from zsgate.verdict.waiver import Waiver

NAMES = Names(model="m", baseline="hvg", dataset="lab")
TODAY = date.today()
WAIVER = Waiver(match="lab-hvg", reason="retraining", owner="Ada", expires=TODAY, max_deficit=0.2)
TEST = {"nodeid": "test_x.py::test_beats[lab-hvg-asw]", "suite": "test_x", "claim": "It beats."}


def score(value: float, **changed: Any) -> Score:
    units = tuple(f"donor {number}" for number in range(6))
    return replace(Score("asw", value, (value,), (value,) * 6, units), **changed)


def run(seen: str = "not seen", **settings: Any) -> Any:
    """Return what a judgement asks of a run: asw decides, other metrics are advisory."""
    return SimpleNamespace(
        config=Config(model="m", **settings),
        deciding={"asw"},
        reference=None,
        exposure=lambda _: Exposure(seen, "its card"),
        dataset=lambda _: None,
        candidate=SimpleNamespace(embed=lambda _: SimpleNamespace(notes={})),  # nothing was seen to move
    )


@pytest.fixture(scope="module")
def noise(pancreas: Dataset) -> Embedding:
    """Return rows that carry nothing."""
    return Embedding.of(np.random.default_rng(1).standard_normal((pancreas.n_cells, 50)), source="noise")


def test_the_silhouette_of_noise_does_not_count(pancreas: Dataset, noise: Embedding) -> None:
    """Real cells in another geometry have a lower silhouette than noise; above it is not ahead of its own shuffle."""
    counts = Embedding.of(np.log1p(pancreas.counts[:, :2000].toarray()), source="counts")
    ours, theirs = asw(noise, pancreas), asw(counts, pancreas)
    assert ours.value > theirs.value
    assert judge(ours, theirs, Terms(policy="point")).passed
    signal = Signal(ours, asw(controls.shuffled_twin(noise, pancreas), pancreas))
    verdict = judge(ours, theirs, Terms(policy="point"), proviso=signal)
    assert not verdict.passed
    assert "it does not count without cell-type signal" in verdict.reason


@pytest.mark.parametrize(("policy", "passes"), [("point", True), ("beats", False)])
def test_without_donors_a_bare_signal_counts_where_bare_differences_do(
    pancreas: Dataset, noise: Embedding, policy: str, passes: bool
) -> None:
    """No interval can be had: under point a clear signal is enough, and noise shows none."""
    alone = replace(pancreas, donors=None)
    oracle = Embedding.of(controls.oracle(alone, noise), source="oracle")
    ahead, behind = (Score("batch_score", value, (value,)) for value in (0.9, 0.8))
    for rows, told in ((oracle, passes), (noise, False)):
        signal = Signal(nmi(rows, alone), nmi(controls.shuffled_twin(rows, alone), alone))
        assert judge(ahead, behind, Terms(policy=policy), proviso=signal).passed is told


def test_the_terms_are_the_runs_and_those_of_the_test() -> None:
    """Policy and margin of the run, over them a threshold that names the test."""
    asked = run(policy="noninferior", margin=0.1, threshold=(Threshold(match="lab", threshold=0.6),))
    found = judge_in_run(asked, score(0.5), score(0.5), NAMES)
    assert (found.verdict.policy, found.verdict.margin, found.threshold) == ("noninferior", 0.1, 0.6)
    assert "does not reach 0.6" in found.verdict.reason
    other = judge_in_run(asked, score(0.5), score(0.5), replace(NAMES, dataset="other"))
    assert (other.verdict.passed, other.threshold) == (True, None)


def test_a_twin_is_exchangeable_with_the_candidate() -> None:
    """Against untrained twins the spread of one draw counts as well, against others only that of their mean."""
    theirs = score(0.4, draws=(0.3, 0.5))
    found = {name: judge_in_run(run(), score(0.5), theirs, replace(NAMES, baseline=name)) for name in ("scvi", "hvg")}
    twin = judge_in_run(run(), score(0.5), theirs, replace(NAMES, baseline="random_init"))
    assert twin.verdict.variance is not None
    assert twin.verdict.variance.seeds == pytest.approx(0.03)
    assert [each.verdict.variance.seeds for each in found.values()] == pytest.approx([0.01, 0.01])


def test_recorded_scores_of_other_cells_are_unpaired() -> None:
    """Only those of an earlier run; a model that is there embeds the same cells, so another digest is a fault."""
    asked = run()
    asked.reference = Reference("hvg", asked)
    assert judge_in_run(asked, score(0.5), score(0.4), NAMES).verdict.paired
    assert not judge_in_run(asked, score(0.5), score(0.4, cells="then"), NAMES).verdict.paired
    pca = replace(NAMES, baseline="pca")
    with pytest.raises(ValueError, match="different cells"):
        judge_in_run(asked, score(0.5), score(0.4, cells="then"), pca)
    asked.reference = Reference("hvg", asked, model=SimpleNamespace())
    with pytest.raises(ValueError, match="different cells"):
        judge_in_run(asked, score(0.5), score(0.4, cells="then"), NAMES)


def test_a_waiver_excuses_being_behind() -> None:
    """The first that covers the test; where none does, the verdict says why."""
    late = replace(WAIVER, expires=TODAY - timedelta(days=1))
    found = judge_in_run(run(waiver=(late, WAIVER)), score(0.3), score(0.4), NAMES)
    assert (found.verdict.passed, found.waiver) == (False, WAIVER)
    record = found.record(**TEST)
    assert (record.passed, record.is_missed, record.qualifier) == (False, False, "waived")
    assert record.sentence.startswith("m (asw 0.300) loses to hvg")
    assert record.waiver == WaiverTerms(
        match="lab-hvg", reason="retraining", owner="Ada", expires=str(TODAY), max_deficit=0.2
    )
    strict = replace(WAIVER, max_deficit=0.01)
    found = judge_in_run(run(waiver=(late, strict)), score(0.3), score(0.4), NAMES)
    assert (found.waiver, found.record(**TEST).is_missed) == (None, True)
    assert "expired on" in found.verdict.reason
    assert found.verdict.reason.endswith("behind by 0.100, more than the 0.01 that Ada waived")
    elsewhere = replace(WAIVER, match="lab-pca")
    assert judge_in_run(run(waiver=(elsewhere,)), score(0.3), score(0.4), NAMES).verdict.reason == ""


def test_no_waiver_excuses_cells_that_were_seen() -> None:
    """Where leakage fails, a dataset of the pretraining data does not pass, whatever the scores and waivers."""
    found = judge_in_run(
        run("seen", leakage="fail", waiver=(WAIVER,)), score(0.5), score(0.4), NAMES, objection="a copy"
    )
    assert (found.verdict.outcome, found.verdict.passed, found.waiver) == ("beats", False, None)
    assert found.record(**TEST).is_missed
    assert found.verdict.reason.startswith("a copy; it was in the model's pretraining data (its card)")
    reported = judge_in_run(run("seen", waiver=(WAIVER,)), score(0.3), score(0.4), NAMES)
    assert reported.waiver == WAIVER
    assert reported.record(**TEST).pretraining == PretrainingRecord(status="seen", source="its card")


def test_an_advisory_verdict_needs_no_waiver() -> None:
    """It is shown and does not decide."""
    ours, theirs = (score(value, metric="bras") for value in (0.3, 0.4))
    found = judge_in_run(run(waiver=(WAIVER,)), ours, theirs, NAMES)
    assert (found.advisory, found.waiver) == (True, None)
    record = found.record(**TEST)
    assert (record.passed, record.is_missed, record.qualifier) == (False, False, "advisory")
    assert record.sentence.startswith("m (bras 0.300) loses")


@pytest.mark.parametrize(("typical", "passed"), [(0.0, True), (5.0, False)])
def test_rows_that_move_withdraw_a_narrow_pass(pancreas: Dataset, typical: float, passed: bool) -> None:
    """A pass that embedding the cells again could have decided does not count."""
    rows = Embedding.of(controls.oracle(pancreas, Embedding.of(np.eye(pancreas.n_cells)[:, :9])), source="oracle")
    moved = replace(rows, notes={"checks": [{"typical": typical, "moved": typical, "apart": 1.0}]})
    asked = run()
    asked.dataset, asked.candidate = lambda _: pancreas, SimpleNamespace(embed=lambda _: moved)
    ours = asw(rows, pancreas)
    theirs = replace(ours, value=ours.value - 0.2, leave_outs=tuple(each - 0.2 for each in ours.leave_outs))
    verdict = judge_in_run(asked, ours, theirs, replace(NAMES, dataset=pancreas.name)).verdict
    assert (verdict.outcome, verdict.passed) == ("beats", passed)
    assert ("its rows move when they are embedded again" in verdict.reason) is not passed


@pytest.mark.parametrize(
    "ours",
    [
        score(0.5, leave_outs=(0.50, 0.52, 0.47, 0.51, 0.55, 0.49)),
        score(0.5, leave_outs=(0.50, 0.52, 0.47, 0.51, 0.55, 0.49), draws=(0.4, 0.6)),
        score(0.5, leave_outs=(), units=()),
    ],
    ids=["donors", "several draws", "no donors"],
)
def test_a_verdict_is_recorded_as_it_is(ours: Score) -> None:
    """Every number, under the test's names, and after JSON the same."""
    theirs = replace(ours, value=0.4, draws=(0.4,), leave_outs=(0.4,) * len(ours.units))
    made = judge(ours, theirs, Terms(policy="noninferior", margin=0.01), NAMES)
    verdict = replace(made, unit="cells", level=0.8, paired=False, reason="why")  # nothing as it is by default
    record = Judgement(verdict, threshold=0.3).record(**TEST)
    same = asdict(verdict)
    interval, outcome, variance = (same.pop(name) for name in ("interval", "outcome", "variance"))
    seeds = (same.pop("seeds_ours"), same.pop("seeds_theirs"))
    assert {name: getattr(record, name) for name in same} == same
    assert {name: getattr(record, name) for name in TEST} == TEST
    assert (record.ci, record.outcome, record.threshold) == (interval, Outcome(outcome), 0.3)
    assert (record.seeds.ours, record.seeds.theirs) == seeds == (len(ours.draws), 1)
    assert (record.sentence, record.waiver, record.pretraining.status) == (verdict.sentence, None, "unknown")
    if variance is None:
        assert (record.ci, record.se, *msgspec.structs.astuple(record.variance)) == (None,) * 7
    else:
        assert {name: getattr(record.variance, name) for name in variance} == variance
        assert record.se is not None
        assert record.se**2 == pytest.approx(variance["jackknife"] + variance["seeds"])
    text = msgspec.json.encode(record)
    assert msgspec.json.decode(text, type=VerdictRecord) == record
    assert json.loads(text)["outcome"] == verdict.outcome


def test_what_is_not_defined_is_recorded_as_null() -> None:
    """JSON has no NaN; a score that cannot be had is null, and so is what follows from it."""
    verdict = judge(score(math.nan, leave_outs=(math.nan,) * 6), score(0.4), names=NAMES)
    record = Judgement(verdict).record(**TEST)
    assert (record.ours, record.theirs, record.difference, record.ci, record.p) == (None, 0.4, None, None, None)
    assert (record.outcome, record.passed, record.is_missed) == (Outcome.INCONCLUSIVE, False, True)
    assert json.loads(msgspec.json.encode(record))["ours"] is None

"""Record: everything that one run found, as verdict.json holds it."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from zsgate.report.record.background import (
    BaselineRecord,
    MetricRecord,
    ModelCard,
    Provenance,
    RecipeRecord,
    TimingRecord,
)
from zsgate.report.record.dataset import CoverageRecord, DatasetRecord
from zsgate.report.record.entry import Entry, Policy
from zsgate.report.record.evidence import (
    CheckRecord,
    ControlRecord,
    FailureRecord,
    NotTestedRecord,
    ScoreRecord,
    SelectionRecord,
    TwinsRecord,
)
from zsgate.report.record.maps import MapRecord
from zsgate.report.record.reconstruction import ReconstructionRecord
from zsgate.report.record.verdict import VerdictRecord
from zsgate.report.record.waiver import WaiverRecord


class GateState(enum.StrEnum):
    """How a run stands.

    passed: every verdict that decides passed; waived: those that did not are waived; lost, inconclusive: at least one
    did not (lost also: a waiver is no longer needed); broke: nothing is claimed; interrupted, incomplete: not every
    test had its turn, because somebody stopped the run or its time was up; unusable: the run could not start; running:
    started, not finished.
    """

    PASSED = "passed"
    WAIVED = "waived"
    LOST = "lost"
    INCONCLUSIVE = "inconclusive"
    BROKE = "broke"
    INTERRUPTED = "interrupted"
    INCOMPLETE = "incomplete"
    UNUSABLE = "unusable"
    RUNNING = "running"

    @property
    def is_judged(self) -> bool:
        """Whether every selected test had its turn and verdicts decide; of any other state nothing is claimed."""
        return self in (GateState.PASSED, GateState.WAIVED, GateState.LOST, GateState.INCONCLUSIVE)


class Record(Entry, frozen=True, kw_only=True):
    """What one run of the gate found. Within version 1 keys may be added, none removed or changed.

    Attributes
    ----------
    schema
        Name and version of this form.
    gate
        How the run stands.
    model
        The candidate, as ``--model`` names it.
    model_card
        What its adapter says of it.
    recipe
        How scores were made.
    tier
        Which datasets were asked for.
    policy
        What lets a test pass where nothing else is said.
    selection
        How many of the tests that make sense were to run, and what left out the others.
    verdicts
        What the tests decided.
    scores
        The candidate's score by each metric with its leave-outs: what ``--against`` reads.
    checks
        How far the candidate's rows moved when few cells were embedded again.
    twins
        What untrained twins are worth, where the candidate was compared with any.
    waivers
        Those of pyproject.toml, with what became of each.
    controls
        What controls had to do and did.
    failures
        Tests without a verdict.
    not_tested
        What was not tested, and why.
    datasets
        What was judged on.
    coverage
        How much of each dataset the models' vocabularies can read.
    baselines
        How each was made.
    metrics
        What each measures.
    reconstruction
        What became of the genes of each dataset.
    maps
        Cells in two dimensions by each method.
    timings
        How long each step took.
    caveats
        What a reader should know before believing the rest.
    provenance
        What the run ran on, and how it ended.
    """

    schema: Literal["zsgate.verdict/1"] = "zsgate.verdict/1"
    gate: GateState
    model: str
    model_card: ModelCard | None = None
    recipe: RecipeRecord = RecipeRecord()
    tier: str = ""
    policy: Policy = "beats"
    selection: SelectionRecord = SelectionRecord()
    verdicts: tuple[VerdictRecord, ...] = ()
    scores: tuple[ScoreRecord, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    twins: tuple[TwinsRecord, ...] = ()
    waivers: tuple[WaiverRecord, ...] = ()
    controls: tuple[ControlRecord, ...] = ()
    failures: tuple[FailureRecord, ...] = ()
    not_tested: tuple[NotTestedRecord, ...] = ()
    datasets: tuple[DatasetRecord, ...] = ()
    coverage: tuple[CoverageRecord, ...] = ()
    baselines: tuple[BaselineRecord, ...] = ()
    metrics: tuple[MetricRecord, ...] = ()
    reconstruction: tuple[ReconstructionRecord, ...] = ()
    maps: tuple[MapRecord, ...] = ()
    timings: tuple[TimingRecord, ...] = ()
    caveats: tuple[str, ...] = ()
    provenance: Provenance = Provenance()

    def to_json(self) -> str:
        """Return the text of verdict.json."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"

    @classmethod
    def of_json(cls, text: str | bytes) -> Record:
        """Return the record that a verdict.json holds; keys that this version does not know are left out.

        Raises
        ------
        msgspec.ValidationError
            If it is no record of this version; says where.
        msgspec.DecodeError
            If it is no JSON.
        """
        return msgspec.json.decode(text, type=cls)

"""The record of a run: everything a page says is one of its fields."""

from zsgate.report.record.background import (
    BaselineRecord,
    MetricRecord,
    ModelCard,
    Provenance,
    RecipeRecord,
    TimingRecord,
)
from zsgate.report.record.dataset import CoverageRecord, DatasetRecord, PretrainingRecord
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
from zsgate.report.record.reconstruction import DensityRecord, FiguresRecord, GeneErrors, ReconstructionRecord
from zsgate.report.record.run import GateState, Record
from zsgate.report.record.verdict import Outcome, SeedsRecord, VarianceRecord, VerdictRecord, deciding, missed
from zsgate.report.record.waiver import WaiverRecord, WaiverTerms

__all__ = [
    "BaselineRecord",
    "CheckRecord",
    "ControlRecord",
    "CoverageRecord",
    "DatasetRecord",
    "DensityRecord",
    "Entry",
    "FailureRecord",
    "FiguresRecord",
    "GateState",
    "GeneErrors",
    "MapRecord",
    "MetricRecord",
    "ModelCard",
    "NotTestedRecord",
    "Outcome",
    "Policy",
    "PretrainingRecord",
    "Provenance",
    "RecipeRecord",
    "ReconstructionRecord",
    "Record",
    "ScoreRecord",
    "SeedsRecord",
    "SelectionRecord",
    "TimingRecord",
    "TwinsRecord",
    "VarianceRecord",
    "VerdictRecord",
    "WaiverRecord",
    "WaiverTerms",
    "deciding",
    "missed",
]

"""How results travel from a test, perhaps on a worker, to the process that writes the report.

Each result is one of pytest's user properties, (name, JSON text): pytest-xdist carries these, and JUnit shows them.
Beside a verdict go its main numbers under names of their own, for readers of JUnit.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from zsgate.report.record.background import TimingRecord
from zsgate.report.record.entry import Entry
from zsgate.report.record.evidence import CheckRecord, ControlRecord, FailureRecord, ScoreRecord, TwinsRecord
from zsgate.report.record.verdict import VerdictRecord

_NAMES: dict[type[Entry], str] = {
    VerdictRecord: "zsgate_verdict",
    ScoreRecord: "zsgate_score",
    ControlRecord: "zsgate_control",
    FailureRecord: "zsgate_failure",
    TimingRecord: "zsgate_timings",
    CheckRecord: "zsgate_check",
    TwinsRecord: "zsgate_twins",
}
_KINDS = {name: kind for kind, name in _NAMES.items()}
_SHOWN = ("outcome", "difference", "ours", "theirs", "p")  # of a verdict, in JUnit


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one report of a test carries.

    Attributes
    ----------
    verdicts, scores, controls, failures, timings, checks, twins
        In the order in which the test left them.
    """

    verdicts: tuple[VerdictRecord, ...] = ()
    scores: tuple[ScoreRecord, ...] = ()
    controls: tuple[ControlRecord, ...] = ()
    failures: tuple[FailureRecord, ...] = ()
    timings: tuple[TimingRecord, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    twins: tuple[TwinsRecord, ...] = ()

    @property
    def sentence(self) -> str:
        """What the verdict or control says; empty where there is neither."""
        return next(iter([each.sentence for each in self.verdicts] + [each.sentence for each in self.controls]), "")


def to_properties(*results: Entry) -> list[tuple[str, Any]]:
    """Return the user properties that carry ``results``.

    Parameters
    ----------
    results
        Verdicts, scores, controls, failures, timings, checks and what twins are worth.

    Raises
    ------
    KeyError
        If one is of another kind.
    """
    properties: list[tuple[str, Any]] = []
    for result in results:
        properties.append((_NAMES[type(result)], msgspec.json.encode(result).decode()))
        if isinstance(result, VerdictRecord):
            plain = msgspec.to_builtins(result)  # execnet carries no enumeration
            properties += [(f"zsgate_{name}", plain[name]) for name in _SHOWN]
    return properties


def from_properties(properties: Iterable[tuple[str, Any]]) -> Found:
    """Return what user properties carry; other properties are left alone.

    Raises
    ------
    msgspec.ValidationError
        If a property of ours is not what :func:`to_properties` makes.
    """
    found: dict[type[Entry], list[Any]] = {kind: [] for kind in _NAMES}
    for name, value in properties:
        if kind := _KINDS.get(name):
            found[kind].append(_decoded(kind, str(value)))
    return Found(**{name: tuple(each) for name, each in zip(Found.__struct_fields__, found.values(), strict=True)})


@lru_cache(maxsize=256)
def _decoded(kind: type[Entry], text: str) -> Entry:
    """Return what a property holds; every hook that looks at a report asks, and no entry can change."""
    return msgspec.json.decode(text, type=kind)

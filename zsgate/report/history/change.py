"""Change: what became of each test since an earlier record, and what cannot be compared with it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from zsgate.report.record import Record, VerdictRecord
from zsgate.report.words import NOTHING, distinct, interval, signed

AGAINST = "test_against"  # suite whose baseline is another run, and so another one each time
Test = tuple[str, str, str]  # dataset, baseline, metric


class Kind(enum.StrEnum):
    """What became of a test; in the order in which a reader wants to know it."""

    LOSS = "new loss"
    GONE = "no longer tested"
    PASS = "new pass"
    OUTCOME = "another outcome"
    MOVED = "moved beyond both intervals"
    NEW = "newly tested"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one test: ``before`` or ``now`` is None where it was not judged."""

    kind: Kind
    test: Test
    before: VerdictRecord | None
    now: VerdictRecord | None

    @property
    def words(self) -> str:
        """Outcome, difference and interval before and now."""
        return f"{_words(self.before)} → {_words(self.now)}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A record against an earlier one.

    Attributes
    ----------
    refused
        Why nothing can be compared; empty if something can.
    apart
        (dataset, why) of what cannot be compared.
    changes
        In the order of :class:`Kind`, then as the tests are listed.
    n_same
        Number of tests that are as they were.
    """

    refused: str = ""
    apart: tuple[tuple[str, str], ...] = ()
    changes: tuple[Change, ...] = ()
    n_same: int = 0


@dataclass(slots=True)
class _Seen:
    changes: list[Change] = field(default_factory=list)
    n_same: int = 0


def compare(record: Record, base: Record) -> Comparison:
    """Return what became of each test since ``base``, as far as both were made by the same recipe on the same cells."""
    if words := _refused(record, base):
        return Comparison(refused=words)
    apart = tuple(_apart(record, base))
    names = {dataset for dataset, _ in apart}
    now, before = _tests(record), _tests(base)
    seen = _Seen()
    for test in dict.fromkeys([*now, *before]):
        if test[0] in names:
            continue
        kind = _kind(before.get(test), now.get(test))
        if kind is None:
            seen.n_same += 1
        else:
            seen.changes.append(Change(kind, test, before.get(test), now.get(test)))
    order = list(Kind)
    seen.changes.sort(key=lambda change: order.index(change.kind))
    return Comparison(apart=apart, changes=tuple(seen.changes), n_same=seen.n_same)


def cells_of(record: Record, dataset: str) -> str:
    """Return the digest of the cells that a record's scores of a dataset are of; empty where that is not known."""
    found = {score.cells for score in record.scores if score.dataset == dataset}
    return found.pop() if len(found) == 1 else ""


def _refused(record: Record, base: Record) -> str:
    """Return why nothing of two records can be compared, or an empty string."""
    if not base.gate.is_judged:
        return f"the base claims nothing: its gate is {base.gate} ({base.provenance.exit_reason or 'no reason given'})"
    if not record.gate.is_judged:
        return f"this run claims nothing: its gate is {record.gate}"
    if base.model != record.model:
        return f"the base is of another model, {base.model}"
    was, now = base.recipe, record.recipe
    if not now.hash or was.hash != now.hash:
        return f"the base was scored by another recipe, {was.id or NOTHING}:{was.hash or NOTHING}"
    return ""


def _apart(record: Record, base: Record) -> Iterator[tuple[str, str]]:
    """Yield the datasets that both judged on and that cannot be compared, each with the reason."""
    now, then = _datasets(record), _datasets(base)
    for name in now:
        if name not in then:
            continue
        ours, theirs = cells_of(record, name), cells_of(base, name)
        if not ours or not theirs:
            yield name, "it is not known whether the base judged on the same cells"
        elif ours != theirs:
            yield name, "the base judged on other cells, labels, batches or donors"


def _datasets(record: Record) -> list[str]:
    return distinct(verdict.dataset for verdict in record.verdicts)


def _tests(record: Record) -> dict[Test, VerdictRecord]:
    return {
        (verdict.dataset, verdict.baseline, verdict.metric): verdict
        for verdict in record.verdicts
        if verdict.suite != AGAINST
    }


def _kind(before: VerdictRecord | None, now: VerdictRecord | None) -> Kind | None:
    if before is None or now is None:
        return Kind.NEW if before is None else Kind.GONE
    if before.passed != now.passed:
        return Kind.PASS if now.passed else Kind.LOSS
    if before.outcome is not now.outcome:
        return Kind.OUTCOME
    return Kind.MOVED if _is_outside(before, now) and _is_outside(now, before) else None


def _is_outside(one: VerdictRecord, other: VerdictRecord) -> bool:
    """Return whether the difference of one lies outside the interval of the other."""
    ends, value = other.interval, one.difference
    return ends is not None and value is not None and not ends[0] <= value <= ends[1]


def _words(verdict: VerdictRecord | None) -> str:
    if verdict is None:
        return "not judged"
    qualifier = f", {verdict.qualifier}" if verdict.qualifier else ""
    return f"{verdict.outcome}{qualifier} {signed(verdict.difference)} {interval(verdict.interval)}"

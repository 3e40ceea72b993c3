"""Outcome: what a run comes to. State, exit code and reason are decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from zsgate.report.record import (
    CheckRecord,
    ControlRecord,
    FailureRecord,
    GateState,
    VerdictRecord,
    WaiverRecord,
    deciding,
)
from zsgate.report.words import counted
from zsgate.verdict.waiver import NEEDLESS

MOST_REASONS = 3  # of those why the gate broke, in one sentence


class ExitCode(IntEnum):
    """The exit codes of a run of the gate."""

    PASSED = 0
    LOST = 1
    INTERRUPTED = 2
    BROKE = 3
    UNUSABLE = 4
    NOTHING = 5


class Ending(StrEnum):
    """How the tests came to their end."""

    WHOLE = "every test had its turn"
    ENOUGH = "stopped after as many failures as -x or --maxfail allows"
    OUT_OF_TIME = "its budget of time was used up"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is known of a run when its tests have ended.

    Attributes
    ----------
    planned
        Node ids of the gate's tests that were to run.
    verdicts, controls, failures, waivers, checks
        What the tests found.
    faults
        What went wrong beside tests, each in one sentence: workers, hooks, files.
    refused
        Why the run could not start, or could not go on; empty if it could.
    nothing
        Why no test of the gate was selected; empty if some were.
    others_failed
        Number of failed tests that are not the gate's.
    ending
        How the tests ended.
    """

    planned: tuple[str, ...] = ()
    verdicts: tuple[VerdictRecord, ...] = ()
    controls: tuple[ControlRecord, ...] = ()
    failures: tuple[FailureRecord, ...] = ()
    waivers: tuple[WaiverRecord, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    faults: tuple[str, ...] = ()
    refused: str = ""
    nothing: str = ""
    others_failed: int = 0
    ending: Ending = Ending.WHOLE

    @property
    def unjudged(self) -> list[str]:
        """Planned tests that left no verdict, control, failure or check."""
        every = (self.verdicts, self.controls, self.failures, self.checks)
        known = {nodeid for found in every for nodeid in _nodeids(found)}
        return [nodeid for nodeid in self.planned if nodeid not in known]

    @property
    def says_something(self) -> bool:
        """Whether anything was found of the candidate that decides."""
        published = any(control.control == "published" for control in self.controls)
        return bool(deciding(self.verdicts) or self.failures or published)

    @property
    def needless(self) -> list[str]:
        """Waivers that nothing needs any more, in words."""
        return [needless_waiver(waiver) for waiver in self.waivers if waiver.state == NEEDLESS]


def _nodeids(
    found: Iterable[VerdictRecord] | Iterable[ControlRecord] | Iterable[FailureRecord] | Iterable[CheckRecord],
) -> Iterator[str]:
    yield from (each.nodeid for each in found)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run comes to.

    Attributes
    ----------
    state
        How the gate stands.
    exit_code
        What pytest ends with.
    reason
        Why, in one sentence.
    """

    state: GateState
    exit_code: ExitCode
    reason: str = field(default="")


def decide(found: Findings) -> Outcome:
    """Return what a run comes to. What is not known to have passed has not.

    A refusal, an interrupt and the end of a budget come first, because they leave nothing to judge; then whatever makes
    the results untrustworthy, then verdicts that were missed, then the rest.
    """
    if found.refused:
        return Outcome(GateState.UNUSABLE, ExitCode.UNUSABLE, found.refused)
    if found.ending is Ending.INTERRUPTED:
        return Outcome(GateState.INTERRUPTED, ExitCode.INTERRUPTED, "interrupted; what was computed is kept")
    if found.ending is Ending.OUT_OF_TIME and found.unjudged:
        return Outcome(GateState.INCOMPLETE, ExitCode.BROKE, _why_incomplete(found))
    if reasons := list(dict.fromkeys(_why_broken(found))):
        return Outcome(GateState.BROKE, ExitCode.BROKE, "; ".join(reasons[:MOST_REASONS]))
    if not found.says_something:
        code = ExitCode.LOST if found.others_failed else ExitCode.NOTHING
        return Outcome(GateState.UNUSABLE, code, found.nothing or "no verdict was reached")
    missed = [verdict for verdict in found.verdicts if verdict.is_missed]
    if found.failures or found.needless or any(verdict.outcome != "inconclusive" for verdict in missed):
        return Outcome(GateState.LOST, ExitCode.LOST, _why_lost(found, missed))
    if missed:
        return Outcome(GateState.INCONCLUSIVE, ExitCode.LOST, _why_lost(found, missed))
    if found.unjudged:  # -x ended the run over a test that is not the gate's, or that somebody counted as failed
        return Outcome(GateState.INTERRUPTED, ExitCode.INTERRUPTED, f"{found.ending}, before every test had its turn")
    return _passed(found)


def needless_waiver(waiver: WaiverRecord) -> str:
    """Return in words that nothing needs a waiver any more."""
    return f"waiver {waiver.match!r} is no longer needed"


def _why_broken(found: Findings) -> Iterable[str]:
    for control in found.controls:
        if not control.passed and not control.advisory:
            yield f"control {control.control} failed on {control.dataset}: {control.sentence}"
    yield from (failure.message for failure in found.failures if failure.what != "candidate")
    yield from found.faults
    unjudged = found.unjudged
    if unjudged and found.ending is Ending.WHOLE:
        yield f"{len(unjudged)} of {len(found.planned)} planned tests gave no result: {unjudged[0]}"


def _why_incomplete(found: Findings) -> str:
    n_judged = len(found.planned) - len(found.unjudged)
    return (
        f"{found.ending} when {n_judged} of {len(found.planned)} planned tests had their turn; what was computed is "
        "kept, and the same command goes on from there"
    )


def _why_lost(found: Findings, missed: list[VerdictRecord]) -> str:
    """Return in words why a run does not pass: first what no test itself could know."""
    withdrawn = [verdict for verdict in missed if verdict.withdrawn]
    overruled = [*found.needless, *dict.fromkeys(verdict.withdrawn for verdict in withdrawn)]
    rest = len(missed) - len(withdrawn) + len({failure.nodeid for failure in found.failures})
    if not overruled:
        return "at least one verdict or test did not pass"
    return "; ".join(overruled) + (f"; and {counted(rest, 'other test')} did not pass" if rest else "")


def _passed(found: Findings) -> Outcome:
    waived = sum(verdict.waiver is not None for verdict in deciding(found.verdicts))
    state = GateState.WAIVED if waived else GateState.PASSED
    reason = "every verdict that decides passed" + (f" or is waived ({waived} are)" if waived else "")
    if found.others_failed:
        others = counted(found.others_failed, "test")
        return Outcome(state, ExitCode.LOST, f"{reason}; {others} beside the gate's failed")
    return Outcome(state, ExitCode.PASSED, reason)

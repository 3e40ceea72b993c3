"""Shard: the record of a part of a run, some datasets of several, and what is wrong with it by itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from zsgate.errors import UsageProblem, sentence
from zsgate.report.record import GateState, Record, deciding
from zsgate.report.record.stored import read
from zsgate.run.findings.contradiction import contradiction
from zsgate.run.findings.outcome import ExitCode, Findings, Outcome, decide

CODES = {
    GateState.BROKE: ExitCode.BROKE,
    GateState.INTERRUPTED: ExitCode.INTERRUPTED,
    GateState.INCOMPLETE: ExitCode.BROKE,
    GateState.RUNNING: None,
}


@dataclass(frozen=True)
class Shard:
    """A part of a run.

    Attributes
    ----------
    name
        What it is called in sentences: where it was read from.
    record
        What it found.
    """

    name: str
    record: Record

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that it judged on."""
        return tuple(entry.name for entry in self.record.datasets)

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the datasets that its command asked for, as far as it named any; of a file, its name."""
        typed = self.record.provenance.options.get("datasets", "")
        names = (name.strip() for name in typed.split(","))
        return tuple(Path(name).stem if name.endswith((".h5ad", ".zarr")) else name for name in names if name)

    @property
    def is_bare(self) -> bool:
        """Whether nothing is known of it but how it ended, as of a run that could not start."""
        return not self.record.datasets and not self.record.verdicts

    @property
    def other_tests_failed(self) -> bool:
        """Whether it failed although the gate passed, because tests beside the gate's did."""
        passed = self.record.gate in (GateState.PASSED, GateState.WAIVED)
        return passed and self.record.provenance.exit_code == ExitCode.LOST

    @cached_property
    def comes_to(self) -> Outcome:
        """What its findings come to, whatever it says."""
        return decide(findings(self.record, others_failed=int(self.other_tests_failed)))

    @property
    def n_judged(self) -> int:
        """Number of the tests that decide which left a verdict, a failure or a check."""
        record = self.record
        failed = [failure for failure in record.failures if failure.what != "control"]
        found = (deciding(record.verdicts), failed, record.checks)
        return len({each.nodeid for some in found for each in some if each.nodeid})

    @property
    def day(self) -> date:
        """The day it was started."""
        return datetime.fromisoformat(self.record.provenance.started).date()

    def damage(self) -> str:
        """Return how it contradicts itself, or an empty string; no run writes such a record."""
        record, code = self.record, self.record.provenance.exit_code
        twice = [nodeid for nodeid, n in Counter(verdict.nodeid for verdict in record.verdicts).items() if n > 1]
        found = {verdict.dataset for verdict in record.verdicts} | {control.dataset for control in record.controls}
        strange = found - set(self.datasets)
        if twice:
            return f"two verdicts are of one test, {twice[0]}"
        if strange:
            return f"it holds results on {min(strange)}, which it did not judge on"
        for verdict in record.verdicts:
            if words := contradiction(verdict):
                return f"{verdict.nodeid} says {words}"
        if (text := self._undated()) is not None:
            return f"{text!r} is no date"
        if record.gate.is_judged and (self.comes_to.state, self.comes_to.exit_code) != (record.gate, code):
            came = f"{self.comes_to.state}, exit {self.comes_to.exit_code:d}"
            return f"it says {record.gate}, exit {code}, and what it found comes to {came}"
        if record.gate in CODES and code != CODES[record.gate]:
            return f"it says {record.gate}, and exit {code}"
        if len(deciding(record.verdicts)) > record.selection.n_selected:
            return "it holds verdicts of more tests than it selected"
        return ""

    def _undated(self) -> str | None:
        """Return what should be a date and is none."""
        for text in (self.record.provenance.started, *(waiver.expires for waiver in self.record.waivers)):
            try:
                datetime.fromisoformat(text)
            except ValueError:
                return text
        return None

    def fault(self) -> str:
        """Return why nothing may be claimed of a run with this part, or an empty string."""
        record, reason = self.record, self.record.provenance.exit_reason
        if record.gate is GateState.RUNNING:
            return f"incomplete: {self.name} was started and has not finished"
        if record.gate is GateState.INTERRUPTED:
            return f"incomplete: {self.name} was interrupted"
        if record.gate is GateState.INCOMPLETE:
            return f"incomplete: {self.name} ended before all of its tests had their turn: {reason}"
        if record.gate is GateState.UNUSABLE:
            return f"incomplete: {self.name} came to no verdict: {reason}"
        if record.gate is GateState.BROKE:  # over something that only its reason tells of, or over its controls as well
            return "" if self.comes_to.state is GateState.BROKE else reason or f"{self.name}: the gate broke"
        missing = record.selection.n_selected - self.n_judged
        stopped = record.gate in (GateState.LOST, GateState.INCONCLUSIVE)  # perhaps by -x, and it fails anyway
        return (
            f"incomplete: {missing} selected tests of {self.name} gave no result" if missing > 0 and not stopped else ""
        )


def findings(record: Record, faults: tuple[str, ...] = (), others_failed: int = 0) -> Findings:
    """Return what a record says was found, as a run knows it when its tests have ended.

    Parameters
    ----------
    record
        Of a run, or of several together.
    faults
        What went wrong beside tests, each in one sentence.
    others_failed
        Number of failed tests that are not the gate's, or 1 where only that some failed is known.
    """
    return Findings(
        verdicts=record.verdicts,
        controls=record.controls,
        failures=record.failures,
        waivers=record.waivers,
        checks=record.checks,
        faults=faults,
        others_failed=others_failed,
    )


def read_sound(path: Path) -> Record:
    """Return the record that a verdict.json holds; one that claims something has the figures to claim it.

    Raises
    ------
    UsageProblem
        If the file cannot be read, is damaged, or says what its own figures contradict.
    """
    record = read(path)
    if record.gate.is_judged and (words := Shard(str(path), record).damage()):
        msg = f"{path} is damaged: {sentence(words)}"
        raise UsageProblem(msg)
    return record

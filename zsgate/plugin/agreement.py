"""Agreement: a test's report says what its verdict or control says, whatever marks and hooks of others made of it.

The exit code comes from verdicts, and so must the dots on the terminal and the cases of JUnit: a test whose verdict was
missed has failed although a conftest marks it xfail, a hook calls it passed, or Python leaves assertions out. A test
that ends without having judged anything has failed as well.
"""

from __future__ import annotations

import traceback
from collections.abc import Generator
from itertools import takewhile
from pathlib import Path

import pytest

import zsgate
from zsgate.errors import whose
from zsgate.plugin.collection import asked, is_of_gate
from zsgate.report.record import ControlRecord, FailureRecord, VerdictRecord
from zsgate.report.wire import Found, from_properties, to_properties
from zsgate.run.ledger import Ledger
from zsgate.verdict.uninformative import is_unsure

FOREIGN = "a mark that does not count"  # title of the section of a report that says so
PACKAGE = Path(zsgate.__file__).parent
_ADVISORY = "advisory, breaks nothing: {} cannot be used: {}"


class Agreement:
    """The hooks, on every process that runs tests, that leave on a report what its test found.

    Parameters
    ----------
    ledger
        Holds what took time since the last report.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._said: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add what took time, and whose fault it is where a test ends by anything but its verdict."""
        report = yield
        if not is_of_gate(report.nodeid):
            return report
        report.user_properties += to_properties(*self.ledger.timings)
        self.ledger.timings.clear()
        if call.excinfo is not None and not (_is_missed(item) and call.excinfo.errisinstance(AssertionError)):
            failure = _failure(item, call.excinfo)
            report.user_properties += to_properties(failure)
            if failure.what != "gate":
                report.longrepr = self._in_words(failure, call.excinfo.value)
        agree(report)
        return report

    def _in_words(self, failure: FailureRecord, error: BaseException) -> str:
        """Return who failed and how, and at the first time where in their own code, for the way there is not theirs."""
        if failure.message in self._said:
            return f"{failure.message.splitlines()[0]} (in full above)"
        self._said.add(failure.message)
        return "\n\n".join([failure.message, *getattr(error, "__notes__", ()), *_own_frames(error)])


class LastWord:
    """Says it again to those who listen, after hooks that change reports before anybody sees them.

    Parameters
    ----------
    repeat
        The command that runs the gate as this run does, to which a node id is added.
    """

    def __init__(self, repeat: str) -> None:
        self.repeat = repeat

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Let a report say what its test found."""
        if is_of_gate(report.nodeid):
            agree(report, f"{self.repeat} {report.nodeid!r}")


def _own_frames(error: BaseException) -> list[str]:
    """Return where in code that is not this package's an error was raised; nothing where that is not known."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    own = takewhile(lambda frame: not Path(frame.filename).is_relative_to(PACKAGE), frames)
    shown = "".join(traceback.format_list(list(own)[::-1]))
    return [shown.rstrip()] if shown else []


def _is_missed(item: pytest.Item) -> bool:
    """Return whether a test has judged, so that its assertion fails."""
    found = from_properties(item.user_properties)
    passed = [each.passed for each in found.verdicts] + [each.passed for each in found.controls]
    return not all(passed)


def _failure(item: pytest.Item, error: pytest.ExceptionInfo[BaseException]) -> FailureRecord:
    """Return whose fault it is that a test ended without a verdict."""
    message = str(error.value)
    if error.errisinstance((pytest.skip.Exception, pytest.xfail.Exception)):
        message = _unjudged(item.nodeid, f"was skipped by a mark ({message})")
    return FailureRecord(nodeid=item.nodeid, what=whose(error.value), message=message, **asked(item))


def agree(report: pytest.TestReport, repeat: str = "") -> Found:
    """Make the report of one of the gate's tests say what the test found, and return that.

    Parameters
    ----------
    report
        Of a phase of the test; changed in place, a failure added where the test judged nothing.
    repeat
        What to type to run the test alone, for who reads its failure.
    """
    found = from_properties(report.user_properties)
    if report.when == "setup" and report.outcome != "skipped":
        return found
    if report.when == "teardown":
        return found
    _tell_mark(report, found)
    if not (found.failures or found.verdicts or found.controls or found.checks):
        found = _found_nothing(report)
    if found.failures:
        _fail(report, "\n".join(failure.message for failure in found.failures))
        _add_command(report, repeat)
    elif found.verdicts:
        _as_verdict(report, found.verdicts[-1], repeat)
    elif found.controls:
        _as_control(report, found.controls[-1])
    else:  # a check that fails leaves a failure
        _pass(report)
    return found


def _tell_mark(report: pytest.TestReport, found: Found) -> None:
    """Note on a report that somebody's mark, or a plugin, made it an expected failure or one to be run again."""
    ours = {_ADVISORY.format(each.metric, each.sentence) for each in found.controls}
    ours |= {each.sentence for each in found.controls} | {excuse(each) for each in found.verdicts}
    if getattr(report, "wasxfail", None) not in (None, *ours):
        report.sections.append((FOREIGN, "xfail"))
    elif str(report.outcome) == "rerun":  # of pytest-rerunfailures
        report.sections.append((FOREIGN, "rerun"))


def excuse(verdict: VerdictRecord) -> str:
    """Return why a verdict that does not pass does not fail the run; empty where it does, or where it passes."""
    if verdict.passed:
        return ""
    if verdict.advisory:
        return f"advisory, does not decide the run: {verdict.sentence}"
    if verdict.waiver is None:
        return ""
    waiver = verdict.waiver
    return f"waived until {waiver.expires} by {waiver.owner} ({waiver.reason}): {verdict.sentence}"


def _found_nothing(report: pytest.TestReport) -> Found:
    """Add to a report that its test judged nothing, and return that."""
    how = "was skipped" if report.outcome == "skipped" else "ended without a verdict"
    message = _unjudged(report.nodeid, how)
    report.user_properties += to_properties(FailureRecord(nodeid=report.nodeid, what="gate", message=message))
    return from_properties(report.user_properties)


def _unjudged(nodeid: str, how: str) -> str:
    return f"{nodeid} {how}, so what it was to judge is not known"


def _as_verdict(report: pytest.TestReport, verdict: VerdictRecord, repeat: str) -> None:
    if verdict.passed:
        _pass(report)
    elif why := excuse(verdict):
        _expect(report, why)
    else:
        _fail(report, verdict.sentence, anew=True)
        _add_command(report, repeat)


def _add_command(report: pytest.TestReport, repeat: str) -> None:
    """Add what runs the test alone, below words; a traceback, of what is nobody's failure, stays as it is."""
    command = f"alone: {repeat}"
    if repeat and isinstance(report.longrepr, str) and command not in report.longrepr:
        report.longrepr += f"\n\n{command}"


def _as_control(report: pytest.TestReport, control: ControlRecord) -> None:
    if control.passed:
        _pass(report)
    elif is_unsure(control):  # whether the dataset tells too little is decided when all controls are known
        _expect(report, control.sentence)
    elif control.advisory:
        _expect(report, _ADVISORY.format(control.metric, control.sentence))
    else:
        _fail(report, control.sentence, anew=True)


def _pass(report: pytest.TestReport) -> None:
    vars(report).pop("wasxfail", None)
    report.outcome, report.longrepr = "passed", None


def _fail(report: pytest.TestReport, words: str, *, anew: bool = False) -> None:
    """Let a report have failed; ``anew`` with these words in the place of a traceback through the suite."""
    was_expected = vars(report).pop("wasxfail", None) is not None
    if anew or was_expected or report.outcome != "failed" or not report.longrepr:
        report.longrepr = words
    report.outcome = "failed"


def _expect(report: pytest.TestReport, why: str) -> None:
    """Let a report be that of an expected failure, which pytest calls skipped."""
    report.outcome = "skipped"
    report.wasxfail = why
    report.longrepr = why

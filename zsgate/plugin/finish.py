"""The end of a run: its outcome is decided, written down, and insisted on."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from zsgate.plugin.agreement import LastWord
from zsgate.plugin.budget import Budget
from zsgate.plugin.results import Results, told
from zsgate.plugin.selection import is_selection, selection, why_nothing
from zsgate.plugin.workers.completeness import Completeness
from zsgate.report import write
from zsgate.report.record import GateState, Record
from zsgate.run.before.validate import not_tested
from zsgate.run.findings.outcome import Ending, ExitCode, Findings, Outcome, decide
from zsgate.run.findings.provenance import Start
from zsgate.run.findings.record import record
from zsgate.run.run import Run


class Finish:
    """The hooks of the controller that decide what a run comes to and write it down.

    Parameters
    ----------
    run
        The run.
    completeness
        Knows what was planned.
    results
        Holds what was found.
    start
        When and how the run was started.
    config
        pytest's configuration.
    budget
        Knows whether the run's time is up, if it has any limit.
    """

    def __init__(
        self,
        run: Run,
        completeness: Completeness,
        results: Results,
        start: Start,
        config: pytest.Config,
        budget: Budget | None = None,
    ) -> None:
        self.run = run
        self.completeness = completeness
        self.results = results
        self.start = start
        self.config = config
        self.budget = budget
        self.session: pytest.Session | None = None
        self.outcome: Outcome | None = None
        self.record: Record | None = None
        self.page: Path | None = None
        self.refused = ""  # why pytest gave up before any test

    def pytest_report_header(self) -> list[str]:
        """Say what else runs, and where the candidate's vocabulary lacks much of a dataset."""
        where = self.run.config.pyproject
        also = [] if where is None else [f"zsgate: settings are those of {where}"]
        also += ["zsgate: the controls of the selected tests run as well"] if is_selection(self.config) else []
        if self.config.option.collectonly:
            return also
        return also + [f"zsgate: {found.remark}" for found in self.run.coverage if found.remark]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember the session, whose exit status is ours to set; from now on nobody else registers before us."""
        self.session = session
        self.config.pluginmanager.register(LastWord(self.results.repeat))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Remember why a run is refused once its tests are known."""
        try:
            return (yield)
        except pytest.UsageError as error:
            self.refused = str(error).removeprefix("zsgate: ")
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Decide before the others report, again if one of them fails, and publish when nothing can change any more."""
        if session.config.option.collectonly:
            yield
            return
        ending = self._ending(session)
        for nodeid, words in self.results.settle(list(self.completeness.planned), self.completeness.due.keys()):
            told(session, nodeid, words)
        self._conclude(ending)
        try:
            yield
        except KeyboardInterrupt:
            self._conclude(Ending.INTERRUPTED)
        except BaseException as error:  # the boundary to hooks that are not ours: a run ends with its outcome
            place = f"{type(error).__name__}: {error}"
            self.completeness.faults.append(f"a hook of a conftest or plugin failed at the end of the run ({place})")
            self._conclude(ending)
            self._show()
        self._publish()
        self.run.ledger.scratch.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self) -> None:
        """Show the verdicts and where the page is."""
        self._show()

    def insist(self) -> None:
        """Set the exit status to what was decided, whatever others have made of it since."""
        if self.session is not None and self.outcome is not None:
            self.session.exitstatus = self.outcome.exit_code

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """Add a column to pytest-html's table."""
        cells.insert(2, "<th>Verdict</th>")

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Add the verdict's sentence to pytest-html's row."""
        from html import escape

        from zsgate.report.wire import from_properties

        cells.insert(2, f"<td>{escape(from_properties(report.user_properties).sentence)}</td>")

    def _ending(self, session: pytest.Session) -> Ending:
        """Return how the tests ended; -x and a budget end those on workers by an interrupt, too."""
        limit = self.config.getoption("maxfail")
        if limit and session.testsfailed >= limit:
            return Ending.ENOUGH
        if self.budget is not None and self.budget.is_over:
            return Ending.OUT_OF_TIME
        return Ending.INTERRUPTED if session.exitstatus == ExitCode.INTERRUPTED else Ending.WHOLE

    def _findings(self, ending: Ending) -> Findings:
        assert self.session is not None
        results, faults = self.results, list(self.completeness.faults)
        if self.session.exitstatus == pytest.ExitCode.INTERNAL_ERROR and not faults and self.outcome is None:
            faults.append("internal error")
        planned = tuple(self.completeness.planned)
        found = Findings(
            planned=planned,
            verdicts=tuple(results.verdicts.values()),
            controls=tuple(results.controls.values()),
            failures=tuple(results.failures.values()),
            waivers=results.waivers,
            checks=tuple(chain.from_iterable(results.checks.values())),
            faults=tuple(faults),
            refused=self.refused,
            others_failed=results.others_failed,
            ending=ending,
        )
        if found.says_something or found.refused:
            return found
        return replace(found, nothing="; ".join(why_nothing(self.config, planned, not_tested(self.run))))

    def _conclude(self, ending: Ending) -> None:
        """Decide, and write the page; one that cannot be made or written is a fault of the gate like any other."""
        folder = self.start.folder / self.run.config.report
        self.outcome = decide(self._findings(ending))
        try:
            self.record = self._record(self.outcome)
            self.page = write(self.record, folder)
        except Exception as error:  # whatever it is, the page of the run before must not stay
            self.completeness.faults.append(f"cannot write the report: {type(error).__name__}: {error}")
            self.outcome = decide(self._findings(ending))
            self.record, self.page = self.start.bare(self.outcome), None
            with suppress(Exception):  # the page that says "started, not finished" stays
                self.page = write(self.record, folder)
        self.insist()

    def _record(self, outcome: Outcome) -> Record:
        if outcome.state is GateState.UNUSABLE and not self.results.verdicts:
            return self.start.bare(outcome)
        usual = self.run.config.usual
        chosen = selection(self.config, self.completeness.due, self.completeness.planned, usual)
        return record(self.run, self.results, outcome, chosen, self.start)

    def _show(self) -> None:
        """Write the table, the sentence and where the page is; on a terminal that is gone, nothing."""
        writer = self.config.pluginmanager.get_plugin("terminalreporter")
        if writer is None or self.record is None or self.outcome is None:
            return
        from zsgate.report.terminal import table  # loads rich, which a list of tests needs not

        writer.section("zsgate")
        said = [*self.run.ledger.lasting.said, *self.run.ledger.scratch.said]
        for words in [*said[:3], *([f"and {len(said) - 3} more of the cache"] if len(said) > 3 else [])]:
            writer.write_line(f"zsgate: {words}")
        writer.write_line(table(self.record, width=writer._tw.fullwidth, colour=writer._tw.hasmarkup))
        writer.write_line(f"exit {self.outcome.exit_code:d}: {self.record.provenance.exit_reason}")
        if self.page is not None:
            writer.write_line(f"page: {self.page}")

    def _publish(self) -> None:
        """Append GitHub's step summary and annotate, now that nothing can change any more."""
        from zsgate.report.github.publish import publish

        assert self.record is not None
        lines = io.StringIO()
        try:
            publish(self.record, os.environ, lines)
        except OSError as error:
            lines.write(f"zsgate: the step summary could not be written ({error})\n")
        writer = self.config.pluginmanager.get_plugin("terminalreporter")
        if writer is not None:
            with suppress(OSError):
                writer.write(lines.getvalue())

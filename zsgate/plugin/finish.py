"""Clerk: decides the exit code of what the run found and hands the record to the report."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from zsgate.data.leakage.exposure import sentences
from zsgate.fixtures import judging as cast
from zsgate.plugin import record as provenance
from zsgate.plugin.completeness import Guard
from zsgate.plugin.results import Docket
from zsgate.plugin.selection import holds_suites, is_selection, why_nothing
from zsgate.run import embeddings as making
from zsgate.run.run import Trial
from zsgate.verdict import holm

BROKE = 3
QUICK_CAVEAT = (
    "The quick tier trains scVI on 2,000 genes over 3 seeds until its validation ELBO levels off (100 epochs or more), "
    "and its own dataset has 1,500 cells. It shows that a gate works; it does not clear a release."
)


class Clerk:
    """The hooks of the controller that write down what was found.

    Parameters
    ----------
    trial
        What is on trial.
    guard
        Knows what is missing.
    docket
        Holds what was found.
    config
        pytest's configuration.
    """

    def __init__(self, trial: Trial, guard: Guard, docket: Docket, config: pytest.Config) -> None:
        self.trial = trial
        self.guard = guard
        self.docket = docket
        self.config = config
        self.started = time.time()
        self.record: dict[str, Any] | None = None
        self.page: Path | None = None
        self.remarks: list[str] = []  # why there is no record
        self.annotations = io.StringIO()  # kept until pytest no longer captures the standard output

    def pytest_report_header(self) -> list[str]:
        """Say what else runs, and where the candidate's vocabulary lacks much of a dataset."""
        also = ["zsgate: the controls of the selected tests run as well"] if is_selection(self.config) else []
        if self.config.option.collectonly:
            return also
        return also + [f"zsgate: {found.remark}" for found in self.trial.coverage if found.remark]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Decide the exit code and write the page."""
        if session.config.option.collectonly:
            return
        if session.exitstatus == pytest.ExitCode.INTERRUPTED and self.guard.has_enough(session):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED  # as without xdist, which ends by an interrupt here
        reasons = self._why_broke(session) if self.guard.planned else []
        interrupted = session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR)
        if reasons and not interrupted:
            session.exitstatus = BROKE
        elif not self._has_judged(session):  # the user's own tests are no verdict
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
            if session.exitstatus != pytest.ExitCode.USAGE_ERROR:
                self.remarks = list(why_nothing(self.trial, self.guard.planned, self.config))
            return
        self.record = self._record(int(session.exitstatus), reasons)
        self.page = self._write(session)
        self.trial.scratch.clear()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the verdicts and where the page is."""
        if self.record is None:
            for line in self.remarks:
                terminalreporter.write_line(f"zsgate: {line}")
            return
        from zsgate.report.terminal import table

        writer = terminalreporter
        writer.section("zsgate")
        writer.write_line(table(self.record, width=writer._tw.fullwidth, colour=writer._tw.hasmarkup))
        writer.write_line(f"exit {self.record['provenance']['exit_code']}: {self.record['provenance']['exit_reason']}")
        if self.page is not None:
            writer.write_line(f"page: {self.page}")
        writer.write(self.annotations.getvalue())

    def _has_judged(self, session: pytest.Session) -> bool:
        """Return whether a suite was to run, and, if all went well, had something to say of the candidate."""
        published = any(each["control"] == "published" for each in self.docket.controls)
        if self.docket.verdicts or self.docket.failures or published:
            return True
        return session.exitstatus != pytest.ExitCode.OK and holds_suites(self.guard.planned)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """Add a column to pytest-html's table."""
        cells.insert(2, "<th>Verdict</th>")

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Add the verdict's sentence to pytest-html's row."""
        from html import escape

        said = [json.loads(str(v))["sentence"] for n, v in report.user_properties if n in (cast.VERDICT, cast.CONTROL)]
        cells.insert(2, f"<td>{escape(said[0]) if said else ''}</td>")

    def _why_broke(self, session: pytest.Session) -> list[str]:
        broken = [
            f"control {each['control']} failed on {each['dataset']}: {each['sentence']}"
            for each in self.docket.controls
            if not each["passed"]
        ]
        broken += [f"{each['message']}" for each in self.docket.failures if each["what"] != "candidate"]
        broken += self.guard.complaints(session)
        if session.exitstatus == pytest.ExitCode.INTERNAL_ERROR and not broken:
            broken.append("internal error")
        return list(dict.fromkeys(broken))

    def _record(self, exit_code: int, reasons: list[str]) -> dict[str, Any]:
        from zsgate.metrics import EVERY
        from zsgate.models.adapter import as_builtins
        from zsgate.run import reconstructions

        trial, verdicts = self.trial, list(self.docket.verdicts.values())
        adjusted = holm.adjusted([each["p"] for each in verdicts], [each["baseline"] for each in verdicts])
        verdicts = [{**verdict, "p_holm": p} for verdict, p in zip(verdicts, adjusted, strict=True)]
        recipe = trial.recipe
        made = {(each["who"], each["dataset"]): each["notes"] for each in self.docket.timings if each.get("who")}
        return {
            "schema": "zsgate.verdict/1",
            "gate": self._gate(exit_code, bool(reasons)),
            "model": trial.config.model,
            "model_card": as_builtins(trial.adapter.info),
            "recipe": {"id": recipe.id, "hash": recipe.hash, "settings": recipe.as_dict()},
            "tier": trial.config.tier,
            "policy": trial.config.policy,
            "verdicts": verdicts,
            "scores": list(self.docket.scores.values()),
            "checks": [
                {"dataset": dataset, **each}
                for (who, dataset), notes in made.items()
                if who == trial.config.model
                for each in notes.get("checks", ())
            ],
            "waivers": self.docket.waivers,
            "controls": self.docket.controls,
            "failures": self.docket.failures,
            "not_tested": trial.not_tested(),
            "datasets": [trial.facts(name) for name in trial.cards],
            "coverage": [found.as_dict() for found in trial.coverage],
            "baselines": [
                {"name": who, "dataset": dataset, "notes": notes}
                for (who, dataset), notes in made.items()
                if who != trial.config.model
            ],
            "metrics": [{"name": m, "card": EVERY[m].card} for m in dict.fromkeys(v["metric"] for v in verdicts)],
            "reconstruction": reconstructions.for_report(trial, verdicts),
            "timings": self.docket.timings,
            "caveats": self._caveats(made),
            "provenance": self._provenance(exit_code, reasons),
        }

    def _gate(self, exit_code: int, broke: bool) -> str:
        """Return the state of the gate; nothing calls an inconclusive verdict lost."""
        if broke or exit_code == BROKE:
            return "broke"
        if exit_code == pytest.ExitCode.INTERRUPTED:
            return "interrupted"
        from zsgate.report.record import missed

        docket = self.docket
        failed = missed(list(docket.verdicts.values()))
        if any(verdict["outcome"] != "inconclusive" for verdict in failed) or docket.failures or docket.needless:
            return "lost"
        return "inconclusive" if failed else "passed"

    def _caveats(self, made: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
        exposures = {name: self.trial.exposure(name) for name in self.trial.cards}
        said = sentences(exposures, self.trial.config.model)
        rival = self.trial.rival
        weaker = [rival.weaker(self.trial.dataset(name)) for name in self.trial.cards] if rival else []
        said += list(filter(None, [rival.remark if rival else "", *weaker]))
        on = ((who, dataset, notes["computed on"]) for (who, dataset), notes in made.items() if "computed on" in notes)
        said += [f"{who} on {dataset} is computed on {what}." for who, dataset, what in on]
        who = self.trial.config.model
        read = {name: making.reads(self.trial.adapter, self.trial.whole(name)) for name in self.trial.cards}
        said += [f"{who} on {dataset} is shown {what}." for dataset, what in read.items() if what]
        return [QUICK_CAVEAT] * (self.trial.config.tier == "quick") + said

    def _provenance(self, exit_code: int, reasons: list[str]) -> dict[str, Any]:
        words = {
            0: "every verdict that decides passed or is waived",
            1: self.docket.why_lost(),
            2: "interrupted; what was computed is kept",
            BROKE: "; ".join(reasons[:3]),
        }
        done = words.get(exit_code, pytest.ExitCode(exit_code).name.lower().replace("_", " "))
        here = provenance.of(self.config, self.trial, self.started)
        return {**here, "exit_code": exit_code, "exit_reason": done}

    def _write(self, session: pytest.Session) -> Path | None:
        from zsgate.report import github, write

        assert self.record is not None
        folder = self.config.invocation_params.dir / self.trial.config.report
        try:
            page = write(self.record, folder)
            github.publish(self.record, os.environ, self.annotations)
        except OSError as error:
            session.exitstatus = BROKE
            self.record["provenance"] |= {"exit_code": BROKE, "exit_reason": f"cannot write the report: {error}"}
            return None
        return page

"""Clerk: writes down what the run found, decides the exit code and hands the record to the report."""

from __future__ import annotations

import io
import json
import os
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from zsgate import provenance
from zsgate.blind import marked, spot_of, spots, uncounted
from zsgate.execution.guard import Guard
from zsgate.fixtures import cast, making
from zsgate.fixtures.trial import Trial
from zsgate.leakage import sentences
from zsgate.waiver import NEEDLESS, reviewed

BROKE = 3
QUICK_CAVEAT = (
    "The quick tier trains scVI on 2,000 genes over 3 seeds until its validation ELBO levels off (100 epochs or more), "
    "and its own dataset has 1,500 cells. It shows that a gate works; it does not clear a release."
)


class Clerk:
    """The hooks of the controller that gather results and write them.

    Parameters
    ----------
    trial
        What is on trial.
    guard
        Knows what is missing.
    config
        pytest's configuration.
    """

    def __init__(self, trial: Trial, guard: Guard, config: pytest.Config) -> None:
        self.trial = trial
        self.guard = guard
        self.config = config
        self.started = time.time()
        self.verdicts: dict[str, dict[str, Any]] = {}
        self.scores: dict[tuple[str, str], dict[str, Any]] = {}
        self.controls: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []
        self.timings: list[dict[str, Any]] = []
        self.waivers: list[dict[str, Any]] = []
        self.blind: list[str] = []
        self.record: dict[str, Any] | None = None
        self.page: Path | None = None
        self.annotations = io.StringIO()  # kept until pytest no longer captures the standard output

    def pytest_report_header(self) -> list[str]:
        """Say where the candidate's vocabulary lacks much of a dataset."""
        if self.config.option.collectonly:
            return []
        return [f"zsgate: {found.remark}" for found in self.trial.coverage if found.remark]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a test's report carries."""
        for name, value in report.user_properties:
            if name == cast.VERDICT and report.when == "call":
                verdict = json.loads(str(value))
                score = {"dataset": verdict["dataset"], **verdict.pop("score")}
                self.scores[score["dataset"], score["metric"]] = score
                self.verdicts[report.nodeid] = {"nodeid": report.nodeid, **verdict}
            elif name == cast.CONTROL and report.when == "call":
                self.controls.append({"nodeid": report.nodeid, **json.loads(str(value))})
            elif name == cast.FAILURE:
                self.failures.append({"nodeid": report.nodeid, **json.loads(str(value))})
            elif name == cast.TIMINGS:
                self.timings += json.loads(str(value))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Decide the exit code and write the page."""
        if session.config.option.collectonly or not self.guard.planned:
            return
        blind = spots(self.controls)
        self.controls = [marked(control, blind) for control in self.controls]
        stood, self.verdicts = self.verdicts, {name: uncounted(each, blind) for name, each in self.verdicts.items()}
        self.blind = [blind[spot_of(v)] for n, v in self.verdicts.items() if v != stood[n] and not v["advisory"]]
        reasons = self._why_broke(session)
        interrupted = session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR)
        if reasons and not interrupted:
            session.exitstatus = BROKE
        elif not self.verdicts and not self.failures and session.exitstatus == pytest.ExitCode.OK:
            if not any(each["control"] == "published" for each in self.controls):
                session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED  # the user's own tests are no verdict
            return
        asked, verdicts = self.trial.config, list(self.verdicts.values())
        whole = self._whole(session)
        self.waivers = reviewed(asked.waiver, verdicts, date.today(), whole=whole, datasets=asked.usual)
        if (self._needless or self.blind) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.record = self._record(int(session.exitstatus), reasons)
        self.page = self._write(session)
        self.trial.scratch.clear()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the verdicts and where the page is."""
        if self.record is None:
            self._say_why_nothing(terminalreporter)
            return
        from zsgate.report.terminal import table

        writer = terminalreporter
        writer.section("zsgate")
        writer.write_line(table(self.record, width=writer._tw.fullwidth, colour=writer._tw.hasmarkup))
        writer.write_line(f"exit {self.record['provenance']['exit_code']}: {self.record['provenance']['exit_reason']}")
        if self.page is not None:
            writer.write_line(f"page: {self.page}")
        writer.write(self.annotations.getvalue())

    def _say_why_nothing(self, writer: pytest.TerminalReporter) -> None:
        """Name the claims that make no sense for the model, where nothing that was asked for does."""
        if self.guard.planned or self.config.option.collectonly:
            return
        for entry in self.trial.not_tested():
            where = f" on {entry['dataset']}" if entry["dataset"] else ""
            writer.write_line(f"zsgate: not tested: {entry['what']}{where}: {entry['reason']}")

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
            for each in self.controls
            if not each["passed"]
        ]
        broken += [f"{each['message']}" for each in self.failures if each["what"] != "candidate"]
        broken += self.guard.complaints(session)
        if session.exitstatus == pytest.ExitCode.INTERNAL_ERROR and not broken:
            broken.append("internal error")
        return list(dict.fromkeys(broken))

    def _record(self, exit_code: int, reasons: list[str]) -> dict[str, Any]:
        from zsgate.fixtures import recovery
        from zsgate.metrics import EVERY
        from zsgate.models.adapter import as_builtins

        trial, verdicts = self.trial, list(self.verdicts.values())
        recipe = trial.recipe
        made = {(each["who"], each["dataset"]): each["notes"] for each in self.timings if each.get("who")}
        return {
            "schema": "zsgate.verdict/1",
            "gate": self._gate(exit_code, bool(reasons)),
            "model": trial.config.model,
            "model_card": as_builtins(trial.adapter.info),
            "recipe": {"id": recipe.id, "hash": recipe.hash, "settings": recipe.as_dict()},
            "tier": trial.config.tier,
            "policy": trial.config.policy,
            "verdicts": verdicts,
            "scores": list(self.scores.values()),
            "checks": [
                {"dataset": dataset, **each}
                for (who, dataset), notes in made.items()
                if who == trial.config.model
                for each in notes.get("checks", ())
            ],
            "waivers": self.waivers,
            "controls": self.controls,
            "failures": self.failures,
            "not_tested": trial.not_tested(),
            "datasets": [trial.facts(name) for name in trial.cards],
            "coverage": [found.as_dict() for found in trial.coverage],
            "baselines": [
                {"name": who, "dataset": dataset, "notes": notes}
                for (who, dataset), notes in made.items()
                if who != trial.config.model
            ],
            "metrics": [{"name": m, "card": EVERY[m].card} for m in dict.fromkeys(v["metric"] for v in verdicts)],
            "reconstruction": recovery.shown(trial, verdicts),
            "timings": self.timings,
            "caveats": self._caveats(made),
            "provenance": self._provenance(exit_code, reasons),
        }

    def _whole(self, session: pytest.Session) -> bool:
        """Return whether every test of the run was asked for and had its turn."""
        option, config = session.config.option, session.config
        selected = option.keyword or option.markexpr or option.deselect or getattr(option, "lf", False)
        stopped = session.exitstatus == pytest.ExitCode.INTERRUPTED or session.shouldfail or session.shouldstop
        return not (selected or stopped) and config.args_source is not config.ArgsSource.ARGS

    @property
    def _needless(self) -> list[str]:
        """Waivers that nothing needs any more."""
        return [f"waiver {each['match']!r} is no longer needed" for each in self.waivers if each["state"] == NEEDLESS]

    def _gate(self, exit_code: int, broke: bool) -> str:
        """Return passed, lost, inconclusive or broke; nothing calls an inconclusive verdict lost."""
        if broke or exit_code in (pytest.ExitCode.INTERRUPTED, BROKE):
            return "broke"
        from zsgate.report.record import missed

        failed = missed(list(self.verdicts.values()))
        if any(verdict["outcome"] != "inconclusive" for verdict in failed) or self.failures or self._needless:
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
            0: "every verdict that decides passed",
            1: "; ".join(dict.fromkeys([*self._needless, *self.blind])) or "at least one verdict or test did not pass",
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

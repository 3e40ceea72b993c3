"""The gate: what pytest does differently in a run that names a model."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from zsgate.baselines import BASELINES, lacking
from zsgate.config.config import Config
from zsgate.errors import BaselineFailed, CandidateFailed, UsageProblem
from zsgate.fixtures import judging as cast
from zsgate.models import MODELS
from zsgate.plugin.collection import AGAINST, FOLDER, SUITES, Controls, Suite, asked, suite
from zsgate.plugin.completeness import Guard
from zsgate.plugin.xdist import Scheduling, parameters
from zsgate.run.run import Trial
from zsgate.run.validate import check_patterns
from zsgate.system.store import Store
from zsgate.system.workers import WORKERS, share


def start(config: pytest.Config, options: Mapping[str, Any]) -> None:
    """Check what the user asked for and register the gate.

    Raises
    ------
    pytest.UsageError
        If the arguments or the data cannot be used; pytest exits with 4.
    """
    is_worker, given = hasattr(config, "workerinput"), getattr(config, "workerinput", {})
    folder = config.invocation_params.dir
    try:
        settings = Config.gather(options, os.environ, folder, models=MODELS)
        run = given.get("zsgate_run") or uuid.uuid4().hex
        trial = Trial(settings, folder, *_stores(settings, run))
        names, _ = trial.cards, trial.deciding
        check_patterns(trial)
        if not is_worker:
            _preflight(trial, config)
    except UsageProblem as problem:
        msg = f"zsgate: {problem}"
        raise pytest.UsageError(msg) from None
    config.addinivalue_line("markers", "weights: checks published numbers; needs the published weights and data")
    config.stash[cast.TRIAL] = trial
    config.args[:] = _collected(config)
    WORKERS.number = share(given.get("workercount", 1))
    config.add_cleanup(WORKERS.close)
    config.pluginmanager.register(Gate(trial, tuple(names)), "zsgate-gate")
    guard = Guard(config, run)
    config.pluginmanager.register(guard, "zsgate-guard")
    if not is_worker:
        from zsgate.plugin.finish import Clerk
        from zsgate.plugin.results import Docket

        docket = Docket(trial, guard)
        config.pluginmanager.register(docket, "zsgate-docket")
        config.pluginmanager.register(Clerk(trial, guard, docket, config), "zsgate-clerk")
    if config.pluginmanager.hasplugin("xdist"):
        if config.option.maxworkerrestart is None:
            config.option.maxworkerrestart = "1"  # a model that ends one process ends the next, and loading it is dear
        config.pluginmanager.register(Scheduling(tuple(names)), "zsgate-scheduling")


def _stores(settings: Config, run: str) -> tuple[Store, Store]:
    """Return the store that lasts and the one that this run's workers share."""
    from platformdirs import user_cache_path

    root = settings.cache or user_cache_path("zsgate")
    return Store(root), Store(root / "runs" / run)


def _preflight(trial: Trial, config: pytest.Config) -> None:
    """Refuse what cannot be used; where tests are only listed, as far as that needs the model and the user's files."""
    if config.getoption("runxfail", default=False):
        msg = "--runxfail would fail the run for advisory and waived tests, which are expected failures; leave it out"
        raise UsageProblem(msg)
    if config.option.collectonly:
        trial.not_tested()
        return
    _refuse_unwritable("report", trial.folder / trial.config.report)
    _refuse_unwritable("cache", trial.store.folder)
    trial.preflight()


def _refuse_unwritable(option: str, folder: Path) -> None:
    """Refuse a folder that cannot be written to; it is not made yet, so that a run refused later leaves nothing."""
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        TemporaryFile(dir=there).close()
    except OSError as error:
        msg = f"--{option} {folder}: cannot write there ({error.strerror or error})"
        raise UsageProblem(msg) from None


def _collected(config: pytest.Config) -> list[str]:
    """Return the paths to collect: every suite, or what the user names, be it by a suite's bare file name."""
    if config.args_source is not config.ArgsSource.ARGS:
        return list(map(str, SUITES))  # the files, not their folder, so that python_files has no say
    here = config.invocation_params.dir
    return [str(FOLDER / arg) if _exists(FOLDER, arg) and not _exists(here, arg) else arg for arg in config.args]


def _exists(folder: Path, arg: str) -> bool:
    return (folder / arg.partition("::")[0]).exists()


class Gate:
    """The hooks of a run that names a model, on the controller and on every worker.

    Parameters
    ----------
    trial
        What is on trial.
    datasets
        Names of the datasets to judge on.
    """

    def __init__(self, trial: Trial, datasets: tuple[str, ...]) -> None:
        self.trial = trial
        self.datasets = datasets

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> Suite | None:
        """Collect packaged suites under one module name."""
        return suite(parent, module_path) if module_path in SUITES else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Ask every suite's claim of every dataset."""
        collector = metafunc.definition.getparent(Suite)
        if collector is not None and "dataset" in metafunc.fixturenames:
            metafunc.parametrize("dataset", self.datasets, indirect=True, scope="session")
            if collector.path == AGAINST and self.trial.rival:
                metafunc.parametrize("baseline", [self.trial.rival.name], indirect=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse a run that lacks what a selected baseline needs."""
        if not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
            self._refuse_lacking(item.nodeid for item in session.items if item.getparent(Suite))

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Refuse it on the controller, before any worker starts a test."""
        self._refuse_lacking(ids)

    def _refuse_lacking(self, ids: Iterable[str]) -> None:
        ours = [nodeid for nodeid in ids if not nodeid.startswith(AGAINST.name)]  # a rival may be called anything
        named = {part for nodeid in ours for part in parameters(nodeid, self.datasets)[1].split("-")}
        for problem in filter(None, map(lacking, sorted(named & BASELINES.keys()))):
            msg = f"zsgate: {problem}"
            raise pytest.UsageError(msg)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Register the controls after everybody who selects tests, so that nobody leaves them out again."""
        session.config.pluginmanager.register(Controls(), "zsgate-controls")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Leave on the report whose fault a failure is, and what took time."""
        report = yield
        if item.getparent(Suite) is None:
            return report
        if self.trial.timings:
            report.user_properties.append((cast.TIMINGS, json.dumps(self.trial.timings)))
            self.trial.timings.clear()
        names = [name for name, _ in item.user_properties]
        judged = cast.VERDICT in names or cast.CONTROL in names
        if call.excinfo is not None and not (judged and call.excinfo.errisinstance(AssertionError)):
            kinds = {CandidateFailed: "candidate", BaselineFailed: "baseline"}
            whose = next((whose for kind, whose in kinds.items() if call.excinfo.errisinstance(kind)), "gate")
            failure = {"what": whose, "message": str(call.excinfo.value), **asked(item)}
            report.user_properties.append((cast.FAILURE, json.dumps(failure)))
        return report

"""The start of a run that names a model: what was asked is checked, and the gate's hooks are registered."""

from __future__ import annotations

import os
import shlex
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from zsgate.config.config import Config
from zsgate.config.sources import find_pyproject
from zsgate.errors import UsageProblem, without_credentials
from zsgate.fixtures import methods
from zsgate.metrics.neighbours.backend import BACKEND
from zsgate.models import MODELS
from zsgate.models.device import chosen
from zsgate.plugin.agreement import Agreement
from zsgate.plugin.ahead import PLANNING, Ahead, Busy, speak_on
from zsgate.plugin.budget import LEFT, Budget, OutOfTime, Turns
from zsgate.plugin.collection import FOLDER, SUITES, Claims, is_of_gate
from zsgate.plugin.surroundings.began import OUT_OF_TIME, began, begin_page, end_page
from zsgate.plugin.surroundings.streams import Streams
from zsgate.plugin.workers import devices
from zsgate.plugin.workers.completeness import Completeness
from zsgate.plugin.workers.scheduling import Scheduling
from zsgate.report.record import GateState
from zsgate.run.before.lookup import ReadOnly
from zsgate.run.before.standin import stand_in
from zsgate.run.before.validate import check_patterns, not_tested, preflight
from zsgate.run.findings.outcome import ExitCode, Outcome
from zsgate.run.findings.provenance import Start
from zsgate.run.ledger import Ledger
from zsgate.run.run import Run
from zsgate.system import cache
from zsgate.system.processes import end_with, interrupt_at_sigterm, time_limit
from zsgate.system.store import Store

IDENTITY = pytest.StashKey[str]()
CLOCK = pytest.StashKey[float]()  # when the run began, in seconds of a clock that nobody sets
REPORT = "zsgate-report"  # where the page of a run goes whose settings cannot be read


def start(config: pytest.Config, options: dict[str, Any], stream: int | None = None) -> None:
    """Check what the user asked for and register the gate.

    Parameters
    ----------
    config
        pytest's configuration.
    options
        What was asked, by field of :class:`Config`.
    stream
        File descriptor of the standard error that the process was started with, for progress; ours to close.

    Raises
    ------
    pytest.UsageError
        If the arguments or the data cannot be used; pytest exits with 4.
    """
    config.stash[CLOCK] = time.monotonic()
    config.add_cleanup(interrupt_at_sigterm(hand_on=bool(config.getoption("tx", None))))
    if hasattr(config, "workerinput"):
        end_with(os.getppid())
    config.add_cleanup(speak_on(stream))
    started = began(config, options["model"])
    if options.pop("plan", False):
        config.stash[PLANNING] = True
        config.option.collectonly = True  # nobody starts workers, or anything else, for a list of tests
    runs = not (config.option.collectonly or hasattr(config, "workerinput") or config.getoption("showfixtures", False))
    folder = started.folder / (options.get("report") or REPORT)
    if config.getoption("usepdb", False):
        options["isolation"] = "none"
    try:
        settings = Config.gather(
            options, os.environ, started.folder, models=tuple(MODELS), pyproject=_settings_of(config)
        )
        folder = started.folder / settings.report
        devices.take(getattr(config, "workerinput", {}))
        if runs:
            begin_page(started, folder)
        with time_limit(settings.budget if runs else None, "what comes before the tests", OutOfTime):
            run = _prepared(config, settings, started.folder)
    except UsageProblem as problem:
        if runs:
            end_page(started, Outcome(GateState.UNUSABLE, ExitCode.UNUSABLE, str(problem)), folder)
        msg = f"zsgate: {without_credentials(str(problem))}"
        raise pytest.UsageError(msg) from None
    except OutOfTime:
        end_page(started, OUT_OF_TIME, folder)
        pytest.exit(f"zsgate: {OUT_OF_TIME.state}: {OUT_OF_TIME.reason}", OUT_OF_TIME.exit_code)
    config.addinivalue_line("markers", "weights: checks published numbers; needs the published weights and data")
    config.add_cleanup(run.close)
    config.stash[methods.RUN] = run
    config.args[:] = _collected(config)
    config.add_cleanup(BACKEND.leave)
    _register(config, run, started)


def _settings_of(config: pytest.Config) -> Path | None:
    """Return the file whose ``[tool.zsgate]`` counts: the one that pytest reads, else the nearest pyproject.toml."""
    named = config.option.inifilename
    root = Path(config.option.rootdir or "") / "pyproject.toml" if config.option.rootdir else None
    if not named and root is not None and root.is_file():
        return root.resolve()
    ini = config.inipath if config.inipath is not None and config.inipath.suffix == ".toml" else None
    return find_pyproject(config.invocation_params.dir, ini, only=bool(named))


def _prepared(config: pytest.Config, settings: Config, folder: Path) -> Run:
    """Return the run, once everything that it needs is known to be usable."""
    BACKEND.device = chosen(settings.gpu)
    ledger = Ledger(*_stores(settings, _identity(config), ReadOnly if config.option.collectonly else Store))
    run = Run(settings, folder, ledger)
    _ = run.sources, run.deciding
    check_patterns(run)
    if hasattr(config, "workerinput"):
        return run
    if config.stash.get(PLANNING, False):
        stand_in(run)
    if config.option.collectonly:
        _ = list(not_tested(run))  # as far as that needs the model and the user's files
    else:
        if settings.cluster and config.getoption("tx", None):
            msg = "--cluster and -n: its workers do what would take time; leave out -n"
            raise UsageProblem(msg)
        cache.prepare(ledger.lasting.folder, shared=settings.cache_shared)
        if settings.fresh:
            cache.forget_made(ledger.lasting.folder)
        preflight(run)
        if settings.cluster:
            _have_done(config, run)
    return run


def _have_done(config: pytest.Config, run: Run) -> None:
    """Register who does what tests will ask for, beside this process."""
    from zsgate.plugin.workers.cluster import Cluster

    config.pluginmanager.register(cluster := Cluster(run, _identity(config)))
    config.add_cleanup(cluster.held.close)


def _identity(config: pytest.Config) -> str:
    """Return what tells this run from others: a worker's is its controller's."""
    given = getattr(config, "workerinput", {}).get("zsgate_run")
    return given or config.stash.setdefault(IDENTITY, uuid.uuid4().hex)


def _register(config: pytest.Config, run: Run, started: Start) -> None:
    """Register the gate's hooks, under no name that ``-p no:NAME`` could block."""
    register = config.pluginmanager.register
    completeness = Completeness(config, _identity(config))
    for hooks in (Claims(run), Agreement(run.ledger), completeness, Busy()):
        register(hooks)
    budget = _budget(config, run)
    if budget is not None:
        register(budget)
        register(Turns(budget))
    if not hasattr(config, "workerinput"):
        from zsgate.plugin.finish import Finish
        from zsgate.plugin.results import Results
        from zsgate.plugin.so_far import SoFar

        results = Results(run.config, _repeat(config))
        finish = Finish(run, completeness, results, started, config, budget)
        register(results)
        register(Ahead(run, results, config))
        register(Streams(config))
        register(SoFar(results, completeness, started, started.folder / run.config.report))
        register(finish)
        config.add_cleanup(finish.insist)
    if run.config.gpu and config.getoption("tx", None):
        register(devices.Devices(devices.usable(os.environ)))
    if config.pluginmanager.hasplugin("xdist"):
        if config.option.maxworkerrestart is None:
            config.option.maxworkerrestart = "1"  # a model that ends one process ends the next, and loading it is dear
        register(Scheduling(tuple(run.sources)))


def _budget(config: pytest.Config, run: Run) -> Budget | None:
    """Return what ends the run in time; a worker is told what is left."""
    if run.config.budget is None or config.option.collectonly:
        return None
    given = getattr(config, "workerinput", {}).get(LEFT, run.config.budget)
    return Budget(run, config, given - (time.monotonic() - config.stash[CLOCK]))


def _stores(settings: Config, run: str, kind: type[Store]) -> tuple[Store, Store]:
    """Return the store that lasts and the one that this run's workers share."""
    root = cache.find_folder(settings.cache)
    return kind(root, run, settings.fresh), kind(root / "runs" / run, run)


def _collected(config: pytest.Config) -> list[str]:
    """Return the paths to collect: every suite, or what the user names, be it by a suite's bare file name."""
    if config.args_source is not config.ArgsSource.ARGS:
        return list(map(str, SUITES))  # the files, not their folder, so that python_files has no say
    here = config.invocation_params.dir
    return [str(FOLDER / arg) if _exists(FOLDER, arg) and not _exists(here, arg) else arg for arg in config.args]


def _exists(folder: Path, arg: str) -> bool:
    return (folder / arg.partition("::")[0]).exists()


def _repeat(config: pytest.Config) -> str:
    """Return the command of this run without what selects its tests."""
    given = [arg for arg in config.invocation_params.args if not is_of_gate(str(arg))]
    return without_credentials(shlex.join(["pytest", *_without_selection(list(map(str, given)))]))


def _without_selection(args: list[str]) -> list[str]:
    kept, skip = [], False
    for arg in args:
        takes_next = arg in ("-k", "-m", "--deselect")
        if not skip and not takes_next and not arg.startswith(("-k", "-m=", "--deselect=", "--lf", "--ff")):
            kept.append(arg)
        skip = takes_next
    return kept

"""Began: how pytest was started, what else has hooks in the run, and the page of a run that has no test yet."""

from __future__ import annotations

import shlex
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType

import pytest

from zsgate.errors import UsageProblem
from zsgate.report import begin, write
from zsgate.report.record import GateState
from zsgate.run.findings.outcome import Ending, ExitCode, Outcome
from zsgate.run.findings.provenance import Start
from zsgate.system.files import sha256_of

RUNNING = Outcome(GateState.RUNNING, ExitCode.INTERRUPTED, "started, not finished: nothing is known of this run")
OUT_OF_TIME = Outcome(GateState.INCOMPLETE, ExitCode.BROKE, f"{Ending.OUT_OF_TIME}, before the first test")


def began(config: pytest.Config, model: str) -> Start:
    """Return what is known of a run that starts now."""
    command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
    manager = config.pluginmanager
    return Start(command, config.invocation_params.dir, time.time(), model, lambda: _plugins(manager))


def _plugins(manager: pytest.PytestPluginManager) -> dict[str, str]:
    """Return what else has hooks in the run: plugins with their versions, conftests and modules with their digests."""
    installed = manager.list_plugin_distinfo()
    found = {dist.project_name: dist.version for _, dist in installed}
    theirs = {id(plugin) for plugin, _ in installed}
    for plugin in manager.get_plugins():
        path = getattr(plugin, "__file__", None) if isinstance(plugin, ModuleType) else None
        if path and id(plugin) not in theirs and not plugin.__name__.startswith(("_pytest.", "zsgate.", "xdist.")):
            found[str(path)] = f"sha256 {sha256_of(Path(path))[:12]}"
    return dict(sorted(found.items()))


def begin_page(started: Start, folder: Path) -> None:
    """Write that a run was started, in the place of the pages of the one before.

    Raises
    ------
    UsageProblem
        If the folder cannot be written to.
    """
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        TemporaryFile(dir=there).close()
        begin(started.bare(RUNNING), folder)
    except OSError as error:
        msg = f"--report {folder}: cannot write the report there ({error.strerror or error})"
        raise UsageProblem(msg) from None


def end_page(started: Start, outcome: Outcome, folder: Path) -> None:
    """Write the page of a run that ended before its first test; what it says on the terminal may be all there is."""
    with suppress(OSError):
        write(started.bare(outcome), folder)

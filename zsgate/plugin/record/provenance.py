"""Provenance: what a run ran on, for whoever wants to repeat it, and what could have changed it."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import time
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

import zsgate
from zsgate.config.config import Config
from zsgate.report.record import GateState, Provenance, Record
from zsgate.system.files import sha256_of
from zsgate.system.sources import versions
from zsgate.verdict.gate.outcome import Outcome

SHOWN = (
    *("numpy", "scipy", "pandas", "torch", "scvi-tools", "scikit-learn"),
    *("anndata", "numba", "pytest", "tokenizers"),
)
ELSEWHERE = ("model", "typed", "usual", "pyproject")  # fields of Config that the record has in other places


@dataclass(frozen=True, slots=True)
class Start:
    """What is known of a run before anything is tested.

    Attributes
    ----------
    command
        What was typed.
    folder
        Where.
    began
        When, in seconds since the epoch.
    model
        The candidate, as ``--model`` names it.
    manager
        Knows the conftests and plugins of the run.
    """

    command: str
    folder: Path
    began: float
    model: str
    manager: pytest.PytestPluginManager = field(repr=False)

    @classmethod
    def of(cls, config: pytest.Config, model: str) -> Start:
        """Return what is known of a run that starts now."""
        command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
        return cls(command, config.invocation_params.dir, time.time(), model, config.pluginmanager)

    def provenance(self, outcome: Outcome, asked: Config | None = None) -> Provenance:
        """Return on what the run ran, and how it ended; with what was asked for, where that could be read."""
        return Provenance(
            zsgate=zsgate.__version__,
            python=platform.python_version(),
            platform=platform.platform(),
            device="" if asked is None else _device(asked.gpu),
            packages=versions(*SHOWN),
            command=self.command,
            started=datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds"),
            seconds=round(time.time() - self.began, 1),
            git=_git(self.folder),
            settings_file=None if asked is None or asked.pyproject is None else str(asked.pyproject),
            options={} if asked is None else _options(asked),
            plugins=_plugins(self.manager),
            exit_code=None if outcome.state is GateState.RUNNING else outcome.exit_code,
            exit_reason=outcome.reason,
        )

    def bare(self, outcome: Outcome) -> Record:
        """Return the record of a run of which nothing but its outcome is known."""
        return Record(gate=outcome.state, model=self.model, provenance=self.provenance(outcome))


def _options(asked: Config) -> dict[str, str]:
    """Return the settings in force that are not their defaults, wherever they were said."""
    found = {}
    for each in fields(asked):
        value = getattr(asked, each.name)
        usual = each.default if each.default is not MISSING else None
        if each.name not in ELSEWHERE and value not in (usual, {}, ()):
            found[each.name] = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return found


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


def _device(gpu: bool) -> str:
    if gpu:
        import torch

        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return f"CPU, {os.cpu_count()} cores"


def _git(folder: Path) -> str | None:
    """Return the commit the run was started in, or None outside a repository."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

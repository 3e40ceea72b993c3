"""Provenance: what a run ran on, for whoever wants to repeat it, and what could have changed it."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

import zsgate
from zsgate.config.config import Config
from zsgate.report.record import GateState, Provenance, Record
from zsgate.run.findings.outcome import Outcome
from zsgate.system.sources import versions

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
    plugins
        Says what else had hooks in the run, once it has ended; nothing has where there is no pytest.
    """

    command: str
    folder: Path
    began: float
    model: str
    plugins: Callable[[], dict[str, str]] = field(default=dict, repr=False)

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
            plugins=self.plugins(),
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

"""Provenance: what a run ran on, for whoever wants to repeat it."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import zsgate
from zsgate.run.run import Trial
from zsgate.system.sources import versions

SHOWN = (
    *("numpy", "scipy", "pandas", "torch", "scvi-tools", "scikit-learn"),
    *("anndata", "igraph", "pytest", "tokenizers"),
)


def of(config: pytest.Config, trial: Trial, started: float) -> dict[str, Any]:
    """Return versions, device, command, time and commit of a run, in builtins.

    Parameters
    ----------
    config
        pytest's configuration.
    trial
        What was on trial.
    started
        When the run began, in seconds since the epoch.
    """
    return {
        "zsgate": zsgate.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": _device(trial.config.gpu),
        "packages": versions(*SHOWN),
        "command": shlex.join(["pytest", *map(str, config.invocation_params.args)]),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
        "git": _git(config.invocation_params.dir),
    }


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

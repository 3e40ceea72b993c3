"""Began: how pytest was started, and what else has hooks in the run."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from types import ModuleType

import pytest

from zsgate.run.findings.provenance import Start
from zsgate.system.files import sha256_of


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

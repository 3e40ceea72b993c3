"""Selected: what of the gate a command line leaves to run, and why where that is nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from zsgate.plugin.collection import FOLDER, SUITES
from zsgate.run.run import Trial


def is_selection(config: pytest.Config) -> bool:
    """Return whether the command line, or addopts, asks for some tests only."""
    option = config.option
    chosen = option.keyword or option.markexpr or option.deselect or getattr(option, "lf", False)
    return bool(chosen) or config.args_source is config.ArgsSource.ARGS


def holds_suites(nodeids: Iterable[str]) -> bool:
    """Return whether any test is one of a packaged suite."""
    names = {path.name for path in SUITES}
    return any(nodeid.partition("::")[0] in names for nodeid in nodeids)


def why_nothing(trial: Trial, planned: Iterable[str], config: pytest.Config) -> Iterator[str]:
    """Yield in words why a run came to no verdict.

    Parameters
    ----------
    trial
        What was on trial.
    planned
        Node ids of what was to run.
    config
        pytest's configuration.
    """
    option, words = config.option, ""
    if holds_suites(planned):
        yield "no verdict was reached: what was selected judges no model"
        return
    if config.args_source is config.ArgsSource.ARGS and not any(str(FOLDER) in arg for arg in config.args):
        yield (
            f"no test of the gate was selected: {' '.join(config.args)} (typed, or of addopts) holds none; without a "
            "path every suite runs"
        )
        return
    if option.keyword or option.markexpr:
        words = " ".join(f"-{k} {v!r}" for k, v in (("k", option.keyword), ("m", option.markexpr)) if v)
        yield f"no test of the gate was selected: {words} leaves none; --collect-only -q lists them without it"
    for entry in trial.not_tested():
        if not words or entry["what"] in words:
            where = f" on {entry['dataset']}" if entry["dataset"] else ""
            yield f"not tested: {entry['what']}{where}: {entry['reason']}"

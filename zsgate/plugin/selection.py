"""Selection: which of the gate's tests a run leaves to run, what left out the others, and why where none is left."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

import pytest

from zsgate.plugin.collection import FOLDER, is_of_gate
from zsgate.report.record import NotTestedRecord, SelectionRecord


def is_selection(config: pytest.Config) -> bool:
    """Return whether the command line, or addopts, asks for some tests only."""
    return next(choices(config), None) is not None


def choices(config: pytest.Config) -> Iterator[str]:
    """Yield what of the command line, or of addopts, asks for some tests only, as one would type it."""
    option = config.option
    for flag, value in (("-k", option.keyword), ("-m", option.markexpr)):
        if value:
            yield f"{flag} {shlex.quote(value)}"
    yield from (f"--deselect {shlex.quote(each)}" for each in option.deselect or ())
    for flag, name in (("--lf", "lf"), ("--sw", "stepwise"), ("--picked", "picked")):
        if getattr(option, name, False):
            yield flag
    if config.args_source is config.ArgsSource.ARGS:
        yield shlex.join(config.invocation_params.dir.joinpath(arg).name for arg in config.args)


def selection(
    config: pytest.Config, due: Iterable[str], planned: Iterable[str], datasets: tuple[str, ...] = ()
) -> SelectionRecord:
    """Return what a run selected of the gate's tests.

    Parameters
    ----------
    config
        pytest's configuration.
    due
        Node ids of all tests that decide the run, selected or not.
    planned
        Node ids of what was to run.
    datasets
        Names of what the project judges on, in this run or another.
    """
    every = set(due)
    selected = every.intersection(planned)
    how = (tuple(choices(config)) or ("a conftest or plugin",)) if selected < every else ()
    return SelectionRecord(n_due=len(every), n_selected=len(selected), left_out_by=how, datasets=datasets)


def why_nothing(config: pytest.Config, planned: Iterable[str], not_tested: Iterable[NotTestedRecord]) -> Iterator[str]:
    """Yield in words why a run came to no verdict.

    Parameters
    ----------
    config
        pytest's configuration.
    planned
        Node ids of what was to run.
    not_tested
        What makes no sense for the candidate and the datasets, and why.
    """
    option, words = config.option, ""
    if any(map(is_of_gate, planned)):
        yield "no verdict was reached: what was selected judges no model, or decides nothing"
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
    for entry in not_tested:
        if not words or entry.what in words:
            where = f" on {entry.dataset}" if entry.dataset else ""
            yield f"not tested: {entry.what}{where}: {entry.reason}"

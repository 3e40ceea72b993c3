"""The pytest plugin: options, and nothing else unless the command line names a model.

Every pytest run of the environment imports this module, so it imports pytest and the standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import suppress

import pytest

SWITCHES = ("gpu", "offline", "cache-shared", "fresh", "no-maps", "plan")
VALUES = (
    "model",
    "weights",
    "datasets",
    "mirror",
    "label",
    "batch",
    "donor",
    "counts",
    "tier",
    "recipe",
    "cells",
    "against",
    "baselines",
    "isolation",
    "metrics",
    "require",
    "scope",
    "leakage",
    "policy",
    "margin",
    "seeds",
    "budget",
    "cluster",
    "report",
    "cache",
)
HELP = {
    "gpu": "run the candidate on CUDA; an error without it",
    "model": "candidate: NAME, pkg.mod:attr, or a path to embeddings; without it zsgate is silent",
    "offline": "touch no network: what is missing is an error that names it",
    "weights": "folder of the candidate's weights (default: downloaded once)",
    "datasets": "NAME, FILE.h5ad or FILE.zarr, several with commas; `zsgate data list` names them",
    "mirror": "folder or address that has the datasets' files, as `zsgate data mirror` writes them",
    "label": "obs column of the cell types in FILE.h5ad",
    "batch": "obs column of the batches in FILE.h5ad, or several joined by +",
    "donor": "obs column of the donors in FILE.h5ad",
    "counts": "where FILE.h5ad keeps raw counts: X, raw or layers/NAME",
    "tier": "quick: 1,500 packaged cells; pr: two of the paper's datasets; full (default): all five",
    "recipe": "choices that shape the scores: default, or kedzierska2023 for the paper's",
    "cells": "most cells of a dataset to judge on, drawn within donors (default 20,000), or all",
    "against": "another model, or verdict.json of an earlier run, that must be beaten as well",
    "metrics": "advisory metrics to compute as well, several with commas (zsgate metrics list)",
    "require": "advisory metrics whose verdicts decide the run, several with commas",
    "scope": "what FILE.h5ad speaks for: donors (default) or cells",
    "baselines": "baselines to compare with as well: harmony",
    "isolation": "process (default): the candidate runs in one of its own; none: in this one, as with --pdb",
    "leakage": "verdicts on datasets that the model saw in pretraining: report (default) or fail",
    "policy": "what passes: beats (default), noninferior or point",
    "margin": "difference that counts as better (default 0)",
    "seeds": "draws of whatever draws chance (default: 3 trainings of scVI, 3 twins, 5 clusterings)",
    "budget": "time after which the run ends as incomplete (exit 3), such as 45m: what decides comes first",
    "cluster": "who else computes: tcp://SCHEDULER:8786 of Dask, or local:N for N processes of this machine",
    "report": "folder of the page (default zsgate-report)",
    "cache": "folder of what is kept between runs",
    "cache-shared": "use that folder also where others can write to it",
    "no-maps": "draw no UMAPs for the page (they need umap-learn and take seconds)",
    "plan": "say what a run would do, what of it is in the store, downloads and time; run nothing",
    "fresh": "read nothing that an earlier run kept; recommended before a release",
}
TAKEN = pytest.StashKey[list[str]]()  # short options that somebody else in this run owns
STDERR = pytest.StashKey[int]()  # standard error as the process was started with it, which pytest captures later


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the long names only: short ones belong to whoever registers them."""
    group = parser.getgroup("zsgate", "acceptance tests for single-cell models (--zsgate-X is also --X where free)")
    for name in SWITCHES:
        group.addoption(f"--zsgate-{name}", action="store_true", help=HELP[name])
    for name in VALUES:
        group.addoption(f"--zsgate-{name}", metavar=name.upper(), help=HELP[name])


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None]:
    """Rewrite ``--model`` to ``--zsgate-model`` and so on, where no conftest or plugin owns the short name."""
    typed = [str(arg) for arg in early_config.invocation_params.args]
    asked = any(_named(arg, "model") or _named(arg, "zsgate-model") for arg in typed)
    if asked:
        with suppress(OSError):  # it may be closed
            early_config.stash[STDERR] = os.dup(2)
    yield  # the repository's conftest files are loaded now and have registered what is theirs
    if not asked:
        return
    taken = []
    for name in SWITCHES + VALUES:
        if not any(_named(arg, name) for arg in args):
            continue
        probe = f"--{name}" if name in SWITCHES else f"--{name}=probe"
        if probe in parser.parse_known_and_unknown_args([probe])[1]:
            args[:] = _renamed(args, name)
        else:
            taken.append(name)
    early_config.stash[TAKEN] = taken


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the gate if the command line names a model."""
    typed = [str(arg) for arg in config.invocation_params.args]
    short = any(_named(arg, "model") for arg in typed) and "model" not in config.stash.get(TAKEN, [])
    asked = short or any(_named(arg, "zsgate-model") for arg in typed)
    if asked and config.getoption("zsgate_model") == "":  # of a variable that is not set: no gate must not be silent
        msg = "zsgate: --model is empty; name a model"
        raise pytest.UsageError(msg)
    if asked and config.getoption("zsgate_model") and not config.option.help:
        if short and config.stash[TAKEN]:
            raise pytest.UsageError("; ".join(_taken(config)))  # meant for the gate, or for its owner?
        from zsgate.plugin.start import start

        fields = [name.replace("-", "_") for name in SWITCHES + VALUES]
        given = {name: config.getoption(f"zsgate_{name}") for name in fields}
        start(config, given, config.stash.get(STDERR, None))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say why a gate that somebody seems to have asked for does not run."""
    typed = [str(arg) for arg in config.invocation_params.args]
    spoken = any(_named(arg, name) for arg in typed for name in ("model", "zsgate-model"))
    if spoken or not config.getoption("zsgate_model"):
        return _taken(config)
    return ["zsgate: --zsgate-model is in addopts and not on the command line, so no gate runs"]


def _taken(config: pytest.Config) -> list[str]:
    return [
        f"zsgate: --{name} belongs to another plugin or conftest of this run; type --zsgate-{name}"
        for name in config.stash.get(TAKEN, [])
    ]


def _named(arg: str, name: str) -> bool:
    return arg == f"--{name}" or arg.startswith(f"--{name}=")


def _renamed(args: Sequence[str], name: str) -> list[str]:
    """Return ``args`` with ``--name`` made ``--zsgate-name``, up to a bare ``--``."""
    end = args.index("--") if "--" in args else len(args)
    return [f"--zsgate-{arg[2:]}" if place < end and _named(arg, name) else arg for place, arg in enumerate(args)]
